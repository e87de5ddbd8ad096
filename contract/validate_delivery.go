package contract

// accepts checks the substitutes of a tranche.
func (v trancheCheck) accepts() *FieldError {
	for i, s := range v.t.Accepts {
		switch {
		case s.Model == "" || !tidy(s.Model):
			return v.wrong("accepts", i, "has the model %q, which is empty or not clean text", s.Model)
		case s.Model == v.t.Model || v.t.substitute(s.Model) < i:
			return v.wrong("accepts", i, "is %s, which counts already", s.Model)
		case s.Factor < 0 || s.Factor > maxFactor:
			return v.wrong("accepts", i, "has a price factor that is not between 0 and 100")
		}
	}
	return nil
}

// delivery checks the pieces that a tranche is delivered in, and its SLA.
func (v trancheCheck) delivery() *FieldError {
	d := &v.t.Delivery
	switch d.Unit {
	case "", DeliverGPU:
		if d.GPUsPerUnit != 0 {
			return v.wrong("gpus per unit", -1, "is said, although the unit of delivery is a GPU")
		}
	case DeliverNode, DeliverRack:
		if d.GPUsPerUnit < 0 || d.GPUsPerUnit > maxUnit {
			return v.wrong("gpus per unit", -1, "is %d, not between 1 and %d", d.GPUsPerUnit, maxUnit)
		}
	default:
		return v.wrong("unit of delivery", -1, "%q is not gpu, node or rack", d.Unit)
	}
	for i, s := range v.t.Steps {
		if n := d.GPUsPerUnit; n > 0 && s.GPUs%n != 0 {
			return v.wrong("steps", i, "has %d GPUs: not whole units of %d", s.GPUs, n)
		}
	}
	if d.GraceMs < 0 || d.GraceMs > maxGrace.Milliseconds() || d.GraceMs%edgeMs != 0 {
		return v.wrong("late grace", -1, "is not whole 5 minutes, at most 366 days")
	}
	return v.sla()
}

func (v trancheCheck) sla() *FieldError {
	if v.t.SLA == "" {
		return nil
	}
	var ids []string
	for i := range v.c.SLAs {
		if v.c.SLAs[i].ID == v.t.SLA {
			return nil
		}
		ids = append(ids, v.c.SLAs[i].ID)
	}
	return v.wrong("sla", -1, "%q is not an SLA of the contract%s", v.t.SLA, orNearest(v.t.SLA, ids))
}

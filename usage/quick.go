package usage

// quick reads a batch in the form in which Seal writes it: fields in the order
// of the structs, no space between them, texts of plain ASCII. It takes a
// quarter of the time of encoding/json, which is most of what a collector does
// with a batch. Whatever is of another form is odd: it is not said to be wrong,
// but left to encoding/json.
type quick struct {
	rest  []byte
	first bool // no field of the object has been read
	odd   bool
}

// decodeQuick reads a body into b if it can. Then b is what json.Unmarshal would
// have made of it; else b holds anything.
func decodeQuick(body []byte, b *Batch) bool {
	r := quick{rest: body}
	r.batch(b)
	return !r.odd && len(r.rest) == 0
}

func (r *quick) batch(b *Batch) {
	r.open()
	number(r, "v", &b.Version)
	text(r, "agent", &b.Agent)
	text(r, "epoch", &b.Epoch)
	number(r, "seq", &b.Seq)
	text(r, "prev_hash", &b.Prev)
	text(r, "evidence", &b.Evidence, EvidenceAgent)
	number(r, "interval_ms", &b.IntervalMs)
	number(r, "clock_offset_ms", &b.ClockOffsetMs)
	if r.key("node") {
		r.node(&b.Node)
	}
	list(r, "gpus", &b.GPUs, r.gpu)
	listed := b.GPUs // records come in their order, as a rule
	list(r, "records", &b.Records, func(x, before *Record) {
		if len(listed) == 0 {
			r.record(x, before, "")
			return
		}
		if r.record(x, before, listed[0].UUID); x.GPU == listed[0].UUID {
			listed = listed[1:]
		}
	})
	list(r, "events", &b.Events, r.event)
	r.close()
}

func (r *quick) node(n *Node) {
	r.open()
	text(r, "name", &n.Name)
	text(r, "machine_id", &n.MachineID)
	if r.key("cloud") {
		r.cloud(&n.Cloud)
	}
	text(r, "driver", &n.Driver)
	text(r, "agent", &n.Agent)
	number(r, "expected_gpus", &n.ExpectedGPUs)
	r.close()
}

func (r *quick) cloud(c *Cloud) {
	r.open()
	text(r, "provider", &c.Provider)
	text(r, "account", &c.Account)
	text(r, "region", &c.Region)
	text(r, "zone", &c.Zone)
	text(r, "instance_type", &c.InstanceType)
	text(r, "instance_id", &c.InstanceID)
	text(r, "reservation", &c.Reservation)
	text(r, "cluster", &c.Cluster)
	text(r, "node_pool", &c.NodePool)
	text(r, "rack", &c.Rack)
	r.close()
}

func (r *quick) gpu(g, before *GPU) {
	r.open()
	text(r, "uuid", &g.UUID)
	text(r, "model", &g.Model, before.Model)
	text(r, "name", &g.Name, before.Name)
	number(r, "index", &g.Index)
	text(r, "serial", &g.Serial)
	text(r, "pci", &g.PCI)
	number(r, "memory_bytes", &g.MemoryBytes)
	r.close()
}

// record reads one; its GPU is likely to be the one before or gpu.
func (r *quick) record(x, before *Record, gpu string) {
	r.open()
	text(r, "gpu", &x.GPU, before.GPU, gpu)
	number(r, "start_ms", &x.StartMs)
	number(r, "end_ms", &x.EndMs)
	if r.key("holder") {
		r.holder(&x.Holder, &before.Holder)
	}
	number(r, "unhealthy_ms", &x.UnhealthyMs)
	number(r, "unallocated_ms", &x.UnallocatedMs)
	number(r, "idle_ms", &x.IdleMs)
	number(r, "unmeasured_ms", &x.UnmeasuredMs)
	number(r, "busy_ms", &x.BusyMs)
	number(r, "sm_active_ms", &x.SMActiveMs)
	number(r, "sm_known_ms", &x.SMKnownMs)
	number(r, "energy_mj", &x.EnergyMJ)
	number(r, "energy_known_ms", &x.EnergyKnownMs)
	text(r, "reason", &x.Reason, before.Reason)
	r.close()
}

func (r *quick) holder(h, before *Holder) {
	r.open()
	text(r, "basis", &h.Basis, before.Basis)
	text(r, "kind", &h.Kind, before.Kind)
	text(r, "group", &h.Group, before.Group)
	text(r, "name", &h.Name, before.Name)
	text(r, "part", &h.Part, before.Part)
	text(r, "labels", &h.Labels, before.Labels)
	r.close()
}

func (r *quick) event(e, before *Event) {
	r.open()
	number(r, "at_ms", &e.AtMs)
	text(r, "kind", &e.Kind, before.Kind)
	text(r, "gpu", &e.GPU, before.GPU)
	number(r, "value", &e.Value)
	text(r, "detail", &e.Detail, before.Detail)
	r.close()
}

func (r *quick) begins(s string) bool { return len(r.rest) >= len(s) && string(r.rest[:len(s)]) == s }

// take steps over s if it comes next.
func (r *quick) take(s string) bool {
	if !r.begins(s) {
		return false
	}
	r.rest = r.rest[len(s):]
	return true
}

// must steps over s.
func (r *quick) must(s string) { r.odd = !r.take(s) || r.odd }

func (r *quick) open() {
	r.must("{")
	r.first = true
}

func (r *quick) close() {
	r.must("}")
	r.first = false
}

// key steps over the name of a field if it comes next. Fields are asked for in
// order, so that none is read twice; one that nobody asks for keeps close from
// its brace.
func (r *quick) key(name string) bool {
	at := 1
	if r.first {
		at = 0
	}
	end := at + len(name) + 3
	if len(r.rest) < end || at == 1 && r.rest[0] != ',' || r.rest[at] != '"' ||
		string(r.rest[at+1:end-2]) != name || r.rest[end-2] != '"' || r.rest[end-1] != ':' {
		return false
	}
	r.rest, r.first = r.rest[end:], false
	return true
}

// text reads a field of plain ASCII, if it comes next. One that says what one of
// like does is that one: what stands in every record is kept once.
func text[T ~string](r *quick, name string, into *T, like ...T) {
	if !r.key(name) {
		return
	}
	r.must(`"`)
	n := 0
	for n < len(r.rest) && r.rest[n] >= ' ' && r.rest[n] < 0x7f && r.rest[n] != '"' && r.rest[n] != '\\' {
		n++
	}
	*into = said(r.rest[:n], like)
	r.rest = r.rest[n:]
	r.must(`"`)
}

func said[T ~string](text []byte, like []T) T {
	for _, l := range like {
		if string(text) == string(l) {
			return l
		}
	}
	return T(text)
}

// maxDigits is how many digits any int64 has room for.
const maxDigits = 18

// number reads a field that is a whole number, if it comes next.
func number[T int | int64 | uint64](r *quick, name string, into *T) {
	if !r.key(name) {
		return
	}
	negative := r.take("-")
	n, v := 0, int64(0)
	for n < len(r.rest) && '0' <= r.rest[n] && r.rest[n] <= '9' && n < maxDigits {
		v = 10*v + int64(r.rest[n]-'0')
		n++
	}
	if n == 0 || r.rest[0] == '0' && (n > 1 || negative) {
		r.odd = true
		return
	}
	r.rest = r.rest[n:]
	if negative {
		v = -v
	}
	*into = T(v)
	if int64(*into) != v || negative && *into > 0 {
		r.odd = true
	}
}

// list reads a field that is a list, if it comes next. Each element is told what
// the one before says.
func list[T any](r *quick, name string, into *[]T, element func(x, before *T)) {
	if !r.key(name) || r.take("null") {
		return
	}
	r.must("[")
	out := make([]T, 0, usualGPUs)
	for !r.odd && !r.take("]") {
		if len(out) > 0 {
			r.must(",")
		}
		var none T
		out = append(out, none)
		n := len(out) - 1
		element(&out[n], &out[max(n-1, 0)]) // of the first, it is itself, and says nothing yet
	}
	*into, r.first = out, false
}

// usualGPUs is how many elements a list is expected to have.
const usualGPUs = 8

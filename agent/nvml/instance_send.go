package nvml

// prepare makes the message that carries the instances' values, which then
// only has to be brought up to date.
func (m *division) prepare() {
	m.message = portions{}
	for _, in := range m.instances {
		m.message.instances = append(m.message.instances, portion{values: in.values, compute: make([]holders, len(in.compute))})
	}
}

// append adds what the parent is to know of the division to b: the layout if it
// changed, and the values of a good look. While the layout is the same it
// allocates nothing.
func (m *division) append(b []byte, slot int, good bool) []byte {
	if m.generation != m.told {
		b = m.layout(slot).append(b)
		m.told = m.generation
	}
	if !m.on || !good {
		return b
	}
	m.message.slot, m.message.generation = slot, m.generation
	for i, in := range m.instances {
		to := &m.message.instances[i]
		to.util, to.active = in.util, in.sm
		for k, c := range in.compute {
			to.compute[k] = holders{c.procs.known, c.procs.list}
		}
	}
	return m.message.append(b)
}

func (m *division) layout(slot int) *layout {
	l := &layout{slot: slot, generation: m.generation, divided: m.on}
	for _, in := range m.instances {
		to := placed{id: in.id, profile: in.profile, slices: in.slices, of: m.of}
		for _, c := range in.compute {
			to.compute = append(to.compute, placedCompute{c.id, c.uuid, c.slices})
		}
		l.instances = append(l.instances, to)
	}
	return l
}

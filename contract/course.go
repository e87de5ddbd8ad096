package contract

// course is a number over time, as steps.
type course struct {
	n     int
	since int64
	past  []Vacancy // where it was not zero; whose they are is filled in last
}

// set makes the number n from a moment on; moments ascend.
func (c *course) set(n int, ms int64) {
	if n == c.n {
		return
	}
	if c.n > 0 && c.since < ms {
		c.past = append(c.past, Vacancy{FromMs: c.since, ToMs: ms, GPUs: c.n})
	}
	c.n, c.since = n, ms
}

// vacancies returns the course as vacancies of a tranche.
func (c *course) vacancies(s *slot) []Vacancy {
	for i := range c.past {
		c.past[i].Contract, c.past[i].Tranche = s.contract, s.tranche
	}
	return c.past
}

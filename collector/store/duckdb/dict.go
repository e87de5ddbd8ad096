package duckdb

// dict numbers distinct values from 1, in the order in which they were first
// committed. Values are never taken away, so that a slice of list stays valid
// while more are added.
type dict[T comparable] struct {
	ids  map[T]int32
	list []T // the value n is list[n-1]
}

func (d *dict[T]) add(v T) {
	if d.ids == nil {
		d.ids = map[T]int32{}
	}
	d.list = append(d.list, v)
	d.ids[v] = int32(len(d.list))
}

// draftDict numbers values that are not committed yet. Thrown away, it leaves
// the dict as it was.
type draftDict[T comparable] struct {
	base  *dict[T]
	fresh dict[T]
}

// id returns the number of v, a new one if v has none.
func (d *draftDict[T]) id(v T) int32 {
	if id, ok := d.base.ids[v]; ok {
		return id
	}
	if d.fresh.ids[v] == 0 {
		d.fresh.add(v)
	}
	return int32(len(d.base.list)) + d.fresh.ids[v]
}

// at returns the value with a number that id has returned.
func (d *draftDict[T]) at(id int32) T {
	if n := int(id) - len(d.base.list); n > 0 {
		return d.fresh.list[n-1]
	}
	return d.base.list[id-1]
}

// keep makes the new values part of the dict, with the numbers they have.
func (d *draftDict[T]) keep() {
	for _, v := range d.fresh.list {
		d.base.add(v)
	}
}

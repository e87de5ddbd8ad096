package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// object is a JSON object; its keys are written in order.
type object = map[string]any

// schemaVersion is that of Grafana 10.0: every later Grafana takes it and
// migrates it.
const schemaVersion = 38

// JSON writes a dashboard in Grafana's classic model. datasource is the uid or
// name of the Prometheus that it opens with; empty is Grafana's default one.
func (b *Board) JSON(datasource string) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(b.model(datasource)); err != nil {
		return nil, fmt.Errorf("encode dashboard %s: %w", b.UID, err)
	}
	return out.Bytes(), nil
}

func (b *Board) model(datasource string) object {
	zone := "browser"
	if b.UTC {
		zone = "utc"
	}
	return object{
		"uid": b.UID, "title": b.Title, "description": b.About, "tags": []string{"gpumeter"},
		"schemaVersion": schemaVersion, "version": 1, "editable": false, "graphTooltip": 1, "timezone": zone, "refresh": "1m",
		"time": object{"from": b.From, "to": "now"}, "timepicker": object{}, "fiscalYearStartMonth": 0,
		"templating": object{"list": b.variables(datasource)}, "annotations": object{"list": b.notes()},
		"links": []object{{
			"title": "gpumeter", "type": "dashboards", "tags": []string{"gpumeter"}, "asDropdown": true, "keepTime": true, "includeVars": true,
			"icon": "external link", "tooltip": "", "url": "", "targetBlank": false,
		}},
		"panels": b.panels(),
	}
}

// source is the datasource that was chosen.
func source() object { return object{"type": "prometheus", "uid": "${datasource}"} }

func (b *Board) variables(datasource string) []object {
	first := object{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
		"hide": 0, "includeAll": false, "multi": false, "options": []object{}, "refresh": 1, "regex": "", "skipUrlSync": false}
	if datasource != "" {
		first["current"] = object{"text": datasource, "value": datasource}
	}
	out := []object{first}
	for _, v := range b.Variables {
		query := fmt.Sprintf("label_values(%s, %s)", v.Of, v.Key)
		x := object{"name": v.Name, "label": v.Label, "type": "query", "datasource": source(),
			"query": object{"query": query, "refId": "variable-" + v.Name}, "hide": 0, "includeAll": !v.One, "multi": !v.One,
			"options": []object{}, "refresh": 2, "regex": "", "skipUrlSync": false, "sort": 1}
		if !v.One {
			x["allValue"] = ".*"
			x["current"] = object{"text": []string{"All"}, "value": []string{"$__all"}}
		}
		out = append(out, x)
	}
	return out
}

func (b *Board) notes() []object {
	out := []object{{"builtIn": 1, "datasource": object{"type": "grafana", "uid": "-- Grafana --"}, "enable": true, "hide": true,
		"iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard"}}
	for _, n := range b.Notes {
		out = append(out, object{"name": n.Name, "datasource": source(), "enable": n.On, "iconColor": n.Color,
			"expr": n.Expr, "step": "60s", "titleFormat": n.Name, "textFormat": n.Text, "useValueForTime": true,
			"target": object{"refId": "Anno", "expr": n.Expr}})
	}
	return out
}

// panels places the panels of all rows.
func (b *Board) panels() []object {
	var out []object
	id, y := 0, 0
	for _, r := range b.Rows {
		id++
		out = append(out, object{"id": id, "type": "row", "title": r.Title, "collapsed": false, "panels": []object{}, "gridPos": grid(0, y, 24, 1)})
		y++
		x, high := 0, 0
		for i := range r.Panels {
			p := &r.Panels[i]
			w, h := p.size()
			if x+w > 24 {
				x, y, high = 0, y+high, 0
			}
			id++
			m := p.model()
			m["id"], m["gridPos"] = id, grid(x, y, w, h)
			out = append(out, m)
			x, high = x+w, max(high, h)
		}
		y += high
	}
	return out
}

func grid(x, y, w, h int) object { return object{"x": x, "y": y, "w": w, "h": h} }

// size is how wide and how high a panel is.
func (p *Panel) size() (w, h int) {
	w, h = 12, 8
	if p.Kind == Stat {
		w, h = 4, 4
	}
	if p.W > 0 {
		w = p.W
	}
	if p.H > 0 {
		h = p.H
	}
	return w, h
}

func (p *Panel) model() object {
	m := object{"type": string(p.Kind), "title": p.Title, "description": p.About, "options": p.options()}
	if p.Kind == Text || p.Kind == Alarms {
		return m
	}
	m["datasource"], m["targets"] = source(), p.targets()
	m["fieldConfig"] = object{"defaults": p.field(), "overrides": p.overrides()}
	if p.Interval != "" {
		m["interval"] = p.Interval
	}
	if p.Kind == Table {
		m["transformations"] = p.transformations()
	}
	return m
}

func (p *Panel) targets() []object {
	var out []object
	instant := p.Kind != Series && p.Kind != Timeline
	for i, q := range p.Queries {
		legend := q.Legend
		if legend == "" {
			legend = "__auto"
		}
		x := object{"refId": letter(i), "datasource": source(), "expr": q.Expr, "legendFormat": legend, "editorMode": "code", "instant": instant, "range": !instant}
		if p.Kind == Table {
			x["format"] = "table"
		}
		out = append(out, x)
	}
	return out
}

// letter is the name of a query by its place.
func letter(i int) string { return string(rune('A' + i)) }

// field is how values are shown.
func (p *Panel) field() object {
	absent := p.Absent
	if absent == "" {
		absent = "no data"
	}
	f := object{"unit": p.Unit, "noValue": absent, "mappings": p.mappings(), "thresholds": object{"mode": "absolute", "steps": steps(p.Steps)}}
	if p.Unit == "percentunit" {
		f["min"], f["max"] = 0, 1
	}
	if len(p.Steps) > 0 {
		f["color"] = object{"mode": "thresholds"}
	} else {
		f["color"] = object{"mode": "palette-classic"}
	}
	if p.Link != "" {
		f["links"] = []object{{"title": "Show", "url": p.Link, "targetBlank": false}}
	}
	if c := p.custom(); c != nil {
		f["custom"] = c
	}
	return f
}

func steps(of []Step) []object {
	if len(of) == 0 {
		return []object{{"color": "blue", "value": nil}}
	}
	var out []object
	for i, s := range of {
		x := object{"color": s.Color, "value": s.From}
		if i == 0 {
			x["value"] = nil
		}
		out = append(out, x)
	}
	return out
}

// mappings put words in the place of values. What is NaN is not available.
func (p *Panel) mappings() []object {
	out := []object{{"type": "special", "options": object{"match": "nan", "result": object{"text": "n/a", "color": "text", "index": 0}}}}
	if len(p.Words) == 0 {
		return out
	}
	words := object{}
	for i, w := range p.Words {
		words[fmt.Sprint(w.Value)] = object{"text": w.Text, "color": w.Color, "index": i + 1}
	}
	return append(out, object{"type": "value", "options": words})
}

// overrides name, link and colour the columns of a table.
func (p *Panel) overrides() []object {
	out := []object{}
	for _, c := range p.Columns {
		properties := []object{}
		if c.Unit != "" {
			properties = append(properties, object{"id": "unit", "value": c.Unit})
		}
		if c.Bar {
			properties = append(properties, object{"id": "custom.cellOptions", "value": object{"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}},
				object{"id": "min", "value": 0}, object{"id": "max", "value": 1})
		}
		if c.Link != "" {
			properties = append(properties, object{"id": "links", "value": []object{{"title": "Show", "url": c.Link}}})
		}
		if len(properties) > 0 {
			out = append(out, object{"matcher": object{"id": "byName", "options": c.Title}, "properties": properties})
		}
	}
	return out
}

// transformations make one table of the answers to all queries, with the
// columns that are wanted.
func (p *Panel) transformations() []object {
	order, titles := object{}, object{}
	var keep []string
	for i, c := range p.Columns {
		field := c.Field
		if len(p.Queries) == 1 && field == "Value #A" {
			field = "Value" // a single answer has no letter
		}
		order[field], titles[field] = i, c.Title
		keep = append(keep, field)
	}
	slices.Sort(keep)
	return []object{
		{"id": "merge", "options": object{}},
		{"id": "filterFieldsByName", "options": object{"include": object{"names": keep}}},
		{"id": "organize", "options": object{"indexByName": order, "renameByName": titles, "excludeByName": object{}}},
	}
}

package dashboards

// options are what a kind of panel is told.
func (p *Panel) options() object {
	switch p.Kind {
	case Stat:
		return object{"reduceOptions": last(), "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
			"textMode": "auto", "wideLayout": true, "showPercentChange": false, "percentChangeColorMode": "standard"}
	case Series:
		return object{"legend": object{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"lastNotNull", "max"}},
			"tooltip": object{"mode": "multi", "sort": "desc"}}
	case Table:
		return object{"showHeader": true, "frameIndex": 0, "showTypeIcons": false, "cellHeight": "sm"}
	case Bars:
		return object{"reduceOptions": last(), "displayMode": "basic", "orientation": "horizontal", "showUnfilled": true, "valueMode": "color", "namePlacement": "auto",
			"sizing": "auto", "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 300, "legend": object{"displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": []string{}}}
	case Timeline:
		return object{"alignValue": "left", "mergeValues": true, "rowHeight": 0.9, "showValue": "auto", "perPage": 20,
			"legend": object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}}, "tooltip": object{"mode": "single", "sort": "none"}}
	case Alarms:
		return object{"viewMode": "list", "groupMode": "default", "groupBy": []string{}, "maxItems": 20, "sortOrder": 3, "dashboardAlerts": false, "alertName": "GPUMeter",
			"alertInstanceLabelFilter": p.Body, "datasource": "${datasource}", "stateFilter": object{"firing": true, "pending": true, "noData": false, "normal": false, "error": true}}
	}
	return object{"mode": "markdown", "content": p.Body}
}

// last takes the newest value of each series.
func last() object {
	return object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
}

// custom is how a kind of panel draws.
func (p *Panel) custom() object {
	switch p.Kind {
	case Series:
		stacking, fill := "none", 10
		if p.Stack {
			stacking, fill = "normal", 60
		}
		style := "line"
		if p.Interval != "" {
			style, fill = "bars", 80
		}
		return object{"drawStyle": style, "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": fill, "showPoints": "never", "spanNulls": false,
			"stacking": object{"mode": stacking, "group": "A"}, "thresholdsStyle": object{"mode": "off"}}
	case Timeline:
		return object{"fillOpacity": 80, "lineWidth": 0}
	case Table:
		return object{"align": "auto", "cellOptions": object{"type": "auto"}, "inspect": false, "filterable": true}
	}
	return nil
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

// A traceKind is what a page's time goes to, as the summary of Chromium's
// performance panel has it.
type traceKind string

const (
	scripting traceKind = "scripting"
	garbage   traceKind = "gc" // the panel counts it as scripting
	rendering traceKind = "rendering"
	painting  traceKind = "painting"
)

// traceKinds are the panel's (TimelineUIUtils.ts of Chromium's DevTools). What
// is not named here is part of what it is in.
var traceKinds = map[string]traceKind{
	"EvaluateScript": scripting, "v8.compile": scripting, "v8.compileModule": scripting, "v8.evaluateModule": scripting,
	"v8.produceCache": scripting, "FunctionCall": scripting, "EventDispatch": scripting, "RunMicrotasks": scripting,
	"TimerInstall": scripting, "TimerRemove": scripting, "TimerFire": scripting, "FireAnimationFrame": scripting, "FireIdleCallback": scripting,
	"WebSocketCreate": scripting, "WebSocketSend": scripting, "WebSocketReceive": scripting, "XHRReadyStateChange": scripting, "XHRLoad": scripting,

	"MinorGC": garbage, "MajorGC": garbage, "BlinkGC.AtomicPhase": garbage, "CppGC.IncrementalSweep": garbage,

	"UpdateLayoutTree": rendering, "Layout": rendering, "PrePaint": rendering, "HitTest": rendering, "ScrollLayer": rendering,
	"UpdateLayer": rendering, "UpdateLayerTree": rendering, "IntersectionObserverController::computeIntersections": rendering,

	"Paint": painting, "Layerize": painting, "Commit": painting, "CompositeLayers": painting, "PaintImage": painting,
}

// traceTask is one turn of a thread.
const traceTask = "RunTask"

// A traceEvent is a part of a trace: times are in microseconds.
type traceEvent struct {
	Name    string
	Phase   string  `json:"ph"`
	Process int64   `json:"pid"`
	Thread  int64   `json:"tid"`
	At      float64 `json:"ts"`
	Lasted  float64 `json:"dur"`
	Cost    float64 `json:"tdur"` // of the thread's own time, without that of others on the machine
	Args    json.RawMessage
}

func (e *traceEvent) end() float64 { return e.At + e.Lasted }

// A conduct is what a page did on its main thread, in ms of that thread's time.
type conduct struct {
	seconds float64 // on the clock
	all     float64
	longest float64 // of its tasks
	costs   map[traceKind]float64
}

// traced returns what a window's page did until the function came back.
func (w *window) traced(during func()) conduct {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.context)
	defer cancel()
	var events []traceEvent
	done := make(chan error, 1)
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *tracing.EventDataCollected:
			for _, value := range e.Value {
				var event traceEvent
				if err := json.Unmarshal(value, &event); err != nil {
					w.t.Errorf("%v in the trace's %s", err, value)
				}
				events = append(events, event)
			}
		case *tracing.EventTracingComplete:
			done <- nil
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	categories := []string{"-*", "devtools.timeline", "disabled-by-default-devtools.timeline", "v8", "__metadata"}
	if _, err := chromedp.Call(ctx, tracing.Start, tracing.StartParams{TraceConfig: &tracing.TraceConfig{IncludedCategories: categories}}); err != nil {
		w.t.Fatal(err)
	}
	began := time.Now()
	during()
	seconds := time.Since(began).Seconds()
	if _, err := chromedp.Call(ctx, tracing.End, cdp.Empty{}); err != nil {
		w.t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(patience):
		w.t.Fatal("the trace did not come")
	}
	return conductOf(events, seconds)
}

// conductOf finds the page among the threads: no other is as busy.
func conductOf(events []traceEvent, seconds float64) conduct {
	type thread struct{ process, thread int64 }
	pages, parts := map[thread]bool{}, map[thread][]*traceEvent{}
	for i := range events {
		e := &events[i]
		at := thread{e.Process, e.Thread}
		var args struct{ Name string }
		switch {
		case e.Name == "thread_name" && json.Unmarshal(e.Args, &args) == nil && args.Name == "CrRendererMain":
			pages[at] = true
		case e.Phase == "X" && (e.Name == traceTask || traceKinds[e.Name] != ""):
			parts[at] = append(parts[at], e)
		}
	}
	most := conduct{}
	for at := range pages {
		if c := conductOn(parts[at]); c.all > most.all {
			most = c
		}
	}
	most.seconds = seconds
	return most
}

// conductOn charges each part with what it cost beside the parts in it.
func conductOn(parts []*traceEvent) conduct {
	slices.SortFunc(parts, func(a, b *traceEvent) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(b.Lasted, a.Lasted)) })
	c := conduct{costs: map[traceKind]float64{}}
	var open []*traceEvent
	for _, e := range parts {
		for len(open) > 0 && open[len(open)-1].end() <= e.At {
			open = open[:len(open)-1]
		}
		cost := e.Cost / 1000
		if e.Name == traceTask {
			c.all += cost
			c.longest = max(c.longest, cost)
		}
		c.costs[traceKinds[e.Name]] += cost
		if len(open) > 0 {
			c.costs[traceKinds[open[len(open)-1].Name]] -= cost
		}
		open = append(open, e)
	}
	return c
}

// percent returns how much of a core went to something.
func (c conduct) percent(of ...traceKind) (sum float64) {
	for _, kind := range of {
		sum += c.costs[kind] / 10 / c.seconds
	}
	return sum
}

// report gives percentages of a core, and the longest task. As the panel does,
// it counts the collector as scripting.
func (c conduct) report(b *testing.B) {
	b.ReportMetric(c.percent(scripting, garbage), "scripting-%")
	b.ReportMetric(c.percent(garbage), "gc-%")
	b.ReportMetric(c.percent(rendering), "rendering-%")
	b.ReportMetric(c.percent(painting), "painting-%")
	b.ReportMetric(c.all/10/c.seconds, "all-%")
	b.ReportMetric(c.longest, "longest-task-ms")
	b.ReportMetric(0, "ns/op")
}

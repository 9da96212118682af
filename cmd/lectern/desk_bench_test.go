package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/lectern-room/lectern/room"
)

const (
	// mostScripting is how much of a core a page's scripts may take, in percent.
	mostScripting = 10
	// longTask is from when on Chromium calls a task long, in ms.
	longTask = 50
	// mostLoaded is how large the first load may be, in kB.
	mostLoaded = 60
	// settledIn is when what came with the load is over.
	settledIn = 3 * time.Second
	// observedFor is as long as garbage takes to be collected, too.
	observedFor = 5 * time.Second
	// attendAtOnce is how many come in at a time, to fill the room.
	attendAtOnce = 32
)

// BenchmarkDesk measures the instructor's page of a room with 10,000 people in
// it, in Chromium: how it loads, and what it does while 20 times a second
// someone comes or goes, told by an event each; a student's page with everyone
// on it; and the desk again, told of as much by a server. The percentages are of
// a core, from the trace that Chromium's performance panel reads, in the own
// time of the page's thread: other programs do not count. It fails where scripts
// take 10 %, a task 50 ms, or the first load more than 60 kB. What a quarter of
// the processor's speed makes of it is told, no more.
//
//	go test -run '^$' -bench '^BenchmarkDesk$' -benchtime 1x ./cmd/lectern
func BenchmarkDesk(b *testing.B) {
	h := newFullHall(b)
	c := startChromium(b)
	desk := "/teach/" + string(h.id) + "#passport=" + h.lecturer
	b.Run("load", func(b *testing.B) { h.loads(b, c, desk) })
	b.Run("events", func(b *testing.B) {
		w := c.wide(b)
		w.do(chromedp.Navigate(h.relayed(b) + desk))
		w.settles("#roster")
		observe := func(does string, do func(*window)) {
			b.Run(does, func(b *testing.B) { h.observe(b, w, do).check(b) })
		}
		observe("watched", (*window).watches)
		observe("searched", (*window).searches)
		observe("scrolled", (*window).scrolls)
		for _, by := range []string{"name", "online"} {
			w.click("#roster-sort-" + by)
			observe("by-"+by, (*window).watches)
		}
		w.slows(4)
		b.Run("slow", func(b *testing.B) { h.observe(b, w, (*window).watches) })
	})
	b.Run("student", func(b *testing.B) {
		w := c.wide(b)
		h.shows(b)
		w.do(chromedp.Navigate(h.relayed(b) + "/j/" + h.code + "#passport=" + h.pass(b, h.seats[audience-1], room.Student)))
		w.click("#join-button")
		w.click("#who-is-here")
		w.settles("#others")
		h.observe(b, w, (*window).watches).check(b)
	})
	b.Run("server", func(b *testing.B) {
		w := c.wide(b)
		h.stirs(b)
		w.do(chromedp.Navigate(h.url.String() + desk))
		w.settles("#roster")
		h.observe(b, w, (*window).watches).check(b)
	})
}

// A fullHall is a room with everyone in it, on a server of its own.
type fullHall struct {
	*loadTarget
	lecturer string // the passport
	id       room.ID
	code     string
	seats    []room.UserID // by number, less one
	stirred  atomic.Int64  // how many changes there were
}

func newFullHall(b *testing.B) *fullHall {
	b.Helper()
	check := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	key := room.NewKey("test")
	keys, err := room.NewKeyring(room.KeyConfig{Signing: []room.Key{key}})
	check(err)
	server, err := launch(b.Context(), b.TempDir(), append(os.Environ(), beProgram+"=1", signingKeys+"="+key.Reveal()))
	check(err)
	b.Cleanup(func() { server.stop() })
	client := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: attendAtOnce}}
	h := &fullHall{loadTarget: &loadTarget{url: server.url, keys: keys, http: client}, seats: make([]room.UserID, audience)}
	h.lecturer = h.pass(b, "lee", room.Instructor)
	h.id, h.code, err = h.openRoom(b.Context(), h.lecturer, "Physics 1", audience)
	check(err)
	all(b, audience, attendAtOnce, func(i int) error {
		user := room.UserID(fmt.Sprint("student-", i))
		var place struct{ Seat int }
		pass, err := h.passport(user, fmt.Sprint("Student ", i), room.Student)
		if err == nil {
			err = h.call(b.Context(), pass, http.MethodPost, "/v1/attend", `{"code":"`+h.code+`"}`, &place)
		}
		if err == nil {
			h.seats[place.Seat-1] = user
		}
		return err
	})
	return h
}

func (h *fullHall) pass(b *testing.B, user room.UserID, role room.Role) string {
	b.Helper()
	pass, err := h.passport(user, string(user), role)
	if err != nil {
		b.Fatal(err)
	}
	return pass
}

// shows lets everyone see the roster.
func (h *fullHall) shows(b *testing.B) {
	b.Helper()
	if err := h.call(b.Context(), h.lecturer, http.MethodPatch, "/v1/rooms/"+string(h.id), `{"options":{"roster":"everyone"}}`, nil); err != nil {
		b.Fatal(err)
	}
}

// wide opens a window as large as a laptop's screen.
func (c *chromium) wide(b *testing.B) *window {
	b.Helper()
	w := (&chromium{t: b, context: c.context}).window()
	w.do(chromedp.EmulateViewport(1440, 900))
	return w
}

// settles waits until a roster on the page has everyone, give or take someone who
// just left, and what came with that is over.
func (w *window) settles(roster string) {
	w.t.Helper()
	w.shows(`%s:is([aria-rowcount="%d"],[aria-rowcount="%d"])`, roster, audience, audience+1)
	time.Sleep(settledIn)
}

// loads measures how a page opens, until it has everyone.
func (h *fullHall) loads(b *testing.B, c *chromium, desk string) {
	w := c.wide(b)
	loaded := w.loaded()
	did := w.traced(func() {
		w.do(chromedp.Navigate(h.url.String() + desk))
		w.settles("#roster")
	})
	size := loaded() / 1000
	b.ReportMetric(size, "first-load-kB")
	b.ReportMetric(did.costs[scripting]+did.costs[garbage], "scripting-ms")
	b.ReportMetric(did.longest, "longest-task-ms")
	b.ReportMetric(0, "ns/op")
	if size > mostLoaded {
		b.Errorf("the page loads %.1f kB, at most %d", size, mostLoaded)
	}
	did.checkTasks(b)
}

// loaded returns how much came of the pages and their parts, compressed, with
// their headers.
func (w *window) loaded() func() float64 {
	w.t.Helper()
	var mu sync.Mutex // guards all below
	var size float64
	files := map[network.RequestID]bool{}
	err := chromedp.Listen(w.context, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventResponseReceived:
			files[e.RequestID] = !strings.Contains(e.Response.URL, "/v1/")
		case *network.EventLoadingFinished:
			if files[e.RequestID] {
				size += e.EncodedDataLength
			}
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return size
	}
}

// observe measures a page while something is done with it.
func (h *fullHall) observe(b *testing.B, page *window, do func(*window)) conduct {
	b.Helper()
	w := &window{t: b, context: page.context}
	w.evaluate(`window.longTasks = 0; new PerformanceObserver((list) => (longTasks += list.getEntries().length)).observe({ type: "longtask" }), ""`)
	var changes int64
	did := w.traced(func() {
		before := h.stirred.Load()
		do(w)
		changes = h.stirred.Load() - before
	})
	b.ReportMetric(float64(changes)/did.seconds, "changes/s")
	long, err := strconv.ParseFloat(w.evaluate("String(longTasks)"), 64)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(long, "longtasks")
	did.report(b)
	return did
}

// check fails the benchmark where a page took too much.
func (c conduct) check(b *testing.B) {
	b.Helper()
	if share := c.percent(scripting, garbage); share >= mostScripting {
		b.Errorf("the page's scripts took %.1f %% of a core", share)
	}
	c.checkTasks(b)
}

func (c conduct) checkTasks(b *testing.B) {
	b.Helper()
	if c.longest >= longTask {
		b.Errorf("a task took %.1f ms", c.longest)
	}
}

func (w *window) watches() { time.Sleep(observedFor) }

// searches types names and takes them back.
func (w *window) searches() {
	const name = "student 123"
	until := time.Now().Add(observedFor)
	w.evaluate(`document.getElementById("roster-search").focus(), ""`)
	for i := 0; time.Now().Before(until); i++ {
		if i/len(name)%2 == 0 {
			w.press(name[i%len(name):][:1])
		} else {
			w.press(kb.Backspace)
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.evaluate(`document.getElementById("roster-search").select(), ""`)
	w.press(kb.Backspace)
}

// scrolls goes through the roster as fast as nobody reads.
func (w *window) scrolls() {
	const speed = 2500 // px/s, about four screens
	_, err := chromedp.Call(w.context, input.SynthesizeScrollGesture, input.SynthesizeScrollGestureParams{
		X: 1000, Y: 600, YDistance: -speed * observedFor.Seconds(), Speed: speed, GestureSourceType: input.GestureSourceTypeMouse,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if at := w.evaluate(`String(document.getElementById("roster").scrollTop)`); at == "0" {
		w.t.Error("nothing was scrolled")
	}
}

// slows makes the page's thread so many times slower.
func (w *window) slows(times float64) {
	w.t.Helper()
	if _, err := chromedp.Call(w.context, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: times}); err != nil {
		w.t.Fatal(err)
	}
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/lectern-room/lectern/room"
)

// A chromium is a real browser. Its windows share no cookies.
type chromium struct {
	t       testing.TB
	context context.Context
}

func startChromium(t testing.TB) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium on this machine: make test installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("lang", "en"), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return &chromium{t: t, context: ctx}
}

// A window is one person's browser.
type window struct {
	t       testing.TB
	context context.Context
	close   func() // as a person closes it

	mu    sync.Mutex // guards asked
	asked []string   // the addresses of all requests
}

// window opens a browser of its own, in which nobody is signed in. The test
// fails if a page throws.
func (c *chromium) window() *window {
	c.t.Helper()
	ctx, cancel := chromedp.NewContext(c.context, chromedp.WithNewBrowserContext())
	c.t.Cleanup(cancel)
	w := &window{t: c.t, context: ctx, close: cancel}
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			w.mu.Lock()
			defer w.mu.Unlock()
			w.asked = append(w.asked, e.Request.URL)
		case *runtime.EventExceptionThrown:
			c.t.Errorf("the page threw %v", e.ExceptionDetails)
		}
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return w
}

// do carries out actions, each of which waits for what it needs.
func (w *window) do(actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.context, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		text, _ := chromedp.Run(w.context, chromedp.Evaluate[string](`location.pathname + ": " + document.body.innerText`))
		w.t.Fatalf("%v on the page %s", err, text)
	}
}

// shows waits until something is on the page.
func (w *window) shows(format string, args ...any) {
	w.t.Helper()
	w.do(chromedp.WaitVisible(chromedp.CSS(fmt.Sprintf(format, args...))))
}

// click clicks where it is in the page, not on the screen: a page that is still
// moving makes a mouse miss.
func (w *window) click(selector string) {
	w.t.Helper()
	w.shows("%s", selector)
	w.evaluate(fmt.Sprintf("document.querySelector(%q).click(), ''", selector))
}

func (w *window) fill(selector, text string) {
	w.t.Helper()
	w.shows("%s", selector)
	w.evaluate(fmt.Sprintf("document.querySelector(%q).select(), ''", selector))
	w.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// attribute returns an attribute of what the page shows.
func (w *window) attribute(selector, name string) string {
	w.t.Helper()
	return evaluated(w, chromedp.AttributeValue(chromedp.CSS(selector), name)).Value
}

// evaluate returns what an expression is in the page.
func (w *window) evaluate(expression string) string {
	w.t.Helper()
	return evaluated(w, chromedp.Evaluate[string](expression))
}

func evaluated[T any](w *window, action chromedp.Action[T]) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.context, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

// downloadsTo has the browser put what is downloaded into a folder.
func (w *window) downloadsTo(folder string) {
	w.t.Helper()
	_, err := chromedp.CallBrowser(w.context, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior:         cdpbrowser.SetDownloadBehaviorBehaviorAllow,
		BrowserContextID: chromedp.FromContext(w.context).BrowserContextID, DownloadPath: folder,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// stayedAt fails the test if the pages have asked anyone else for anything,
// or put a passport where servers see it.
func (w *window) stayedAt(i *instance) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, address := range w.asked {
		ours := strings.HasPrefix(address, i.loadTarget.url.String()) || strings.HasPrefix(address, "data:") || strings.HasPrefix(address, "blob:")
		if !ours || strings.Contains(address, "passport=") {
			w.t.Errorf("a page asked for %s", address)
		}
	}
	if len(w.asked) == 0 {
		w.t.Error("no request was seen")
	}
}

// TestALectureInTheBrowser goes through a lecture as an instructor and a
// student do, each in a real browser.
func TestALectureInTheBrowser(t *testing.T) {
	i := startInstance(t)
	c := startChromium(t)
	home := i.loadTarget.url.String()

	lee := c.window()
	lee.do(chromedp.Navigate(home + "/#passport=" + i.pass("lee", room.Instructor)))
	lee.shows("#open-title")
	if at := lee.evaluate("location.href"); strings.Contains(at, "passport") {
		t.Errorf("the passport stays in the address: %s", at)
	}
	lee.fill("#open-title", "Physics 1")
	lee.fill("#open-seats", "2")
	lee.click("#open-button")
	lee.shows("#code")
	code, id := lee.attribute("#code", "data-code"), lee.attribute("main[data-room]", "data-room")

	kim := c.window()
	kim.do(chromedp.Navigate(home))
	kim.fill("#code-input", strings.ToLower(code))
	kim.click("#code-submit")
	kim.fill("#name-input", "김민준")
	kim.click("#join-button")
	kim.shows(`#seat-number[data-seat="1"]`)
	lee.shows(`#taken[data-taken="1"]`)
	lee.shows(`#online[data-online="1"]`)
	lee.shows(`.row[data-key^="guest:"]`)

	kim.do(chromedp.Reload())
	kim.shows(`#seat-number[data-seat="1"]`)
	lee.shows(`#taken[data-taken="1"]`)

	bo := c.window()
	bo.do(chromedp.Navigate(home + "/j/" + code))
	bo.fill("#name-input", "Bo")
	bo.click("#join-button")
	bo.shows(`#seat-number[data-seat="2"]`)
	ann := c.window()
	ann.do(chromedp.Navigate(home + "/j/" + code))
	ann.fill("#name-input", "Ann")
	ann.click("#join-button")
	ann.shows(`#error[data-code="room_full"]`)

	kim.click("#leave")
	kim.click("#leave-dialog-yes")
	kim.shows(`[data-ending="left"]`)
	lee.shows(`#taken[data-taken="1"]`)
	ann.click("#join-button")
	ann.shows(`#seat-number[data-seat="1"]`)

	lee.click("#close-room")
	lee.click("#close-dialog-yes")
	lee.shows("#record")
	bo.shows(`[data-ending="closed"]`)
	folder := t.TempDir()
	lee.downloadsTo(folder)
	lee.click("[data-testid=download-csv]")
	eventually(t, func() string { return missingFrom(folder, "김민준", "Bo", "Ann") })

	for _, w := range []*window{lee, kim, bo, ann} {
		w.stayedAt(i)
	}
	if entries, _ := (&lecture{instance: i, passport: i.pass("lee", room.Instructor), id: room.ID(id)}).roster(); len(entries) != 2 {
		t.Errorf("in the roster at the end: %v", entries)
	}
}

// missingFrom says which of the names no CSV file in a folder has.
func missingFrom(folder string, names ...string) string {
	files, _ := filepath.Glob(filepath.Join(folder, "*.csv"))
	if len(files) == 0 {
		return "no CSV file came"
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return err.Error()
	}
	for _, name := range names {
		if !strings.Contains(string(data), name) {
			return name + " is not in " + string(data)
		}
	}
	return ""
}

// TestTwoBrowsersOnePerson: one seat and one row, and online as long as one
// of the two is there.
func TestTwoBrowsersOnePerson(t *testing.T) {
	i := startInstance(t)
	c := startChromium(t)
	l := i.open("lee", 5)
	home := i.loadTarget.url.String()
	pass := i.pass("kim", room.Student)

	var windows []*window
	for range 2 {
		w := c.window()
		w.do(chromedp.Navigate(home + "/j/" + l.code + "#passport=" + pass))
		w.click("#join-button")
		w.shows(`#seat-number[data-seat="1"]`)
		windows = append(windows, w)
	}
	if entries, _ := l.roster(); len(entries) != 1 {
		t.Fatalf("in the roster: %v", entries)
	}
	b := i.browse(t, l.passport)
	b.ask("watching", `{"type":"watch","room_id":"%s"}`, l.id)
	windows[0].close()
	if m, heard := b.listenFor(room.OfflineAfter+2*time.Second, func(m message) bool { return m.Type == "roster" }); heard {
		t.Errorf("one of two browsers went: %s", m.raw)
	}
	windows[1].shows(`#seat-number[data-seat="1"]`)
	windows[1].close()
	b.await("offline", patience, func(m message) bool { return m.Type == "roster" && strings.Contains(m.raw, `"offline":["kim"]`) })
}

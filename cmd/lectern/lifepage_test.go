package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/lectern-room/lectern/room"
)

// press types a key where the focus is.
func (w *window) press(key string) {
	w.t.Helper()
	w.do(chromedp.KeyEvent(key))
}

// joins has someone who is known by a name come in with a code.
func (c *chromium) joins(i *instance, code, name string) *window {
	c.t.Helper()
	w := c.window()
	w.do(chromedp.Navigate(i.loadTarget.url.String() + "/j/" + code + "#passport=" + i.pass(name, room.Student)))
	w.click("#join-button")
	return w
}

// desk opens an instructor's page of a room.
func (c *chromium) desk(l *lecture) *window {
	c.t.Helper()
	w := c.window()
	w.do(chromedp.Navigate(l.loadTarget.url.String() + "/teach/" + string(l.id) + "#passport=" + l.passport))
	w.shows("#code")
	return w
}

// titled waits until a window's title, which is all that a tab in the
// background shows, begins with a text.
func (w *window) titled(begin string) {
	w.t.Helper()
	eventually(w.t, func() string {
		if title := w.evaluate("document.title"); len(title) < len(begin) || title[:len(begin)] != begin {
			return fmt.Sprintf("the title is %q, not %q", title, begin)
		}
		return ""
	})
}

// TestALineInTheBrowser fills a room, waits for a seat in it, and lets people
// in by the keyboard.
func TestALineInTheBrowser(t *testing.T) {
	i := startInstance(t)
	c := startChromium(t)
	lee := c.window()
	lee.do(chromedp.Navigate(i.loadTarget.url.String() + "/teach#passport=" + i.pass("lee", room.Instructor)))
	lee.fill("#open-title", "Physics 1")
	lee.fill("#open-seats", "1")
	lee.click("#open-more")
	lee.click("#open-waitlist")
	lee.click("#open-button")
	lee.shows("#waiting-card")
	code := lee.attribute("#code", "data-code")

	kim := c.joins(i, code, "kim")
	kim.shows(`#seat-number[data-seat="1"]`)
	bo := c.joins(i, code, "bo")
	bo.shows(`#position[data-position="1"]`)
	bo.titled("1st in line")
	ann := c.joins(i, code, "ann")
	ann.shows(`#position[data-position="2"]`)
	lee.shows(`#waiting-count[data-count="2"]`)
	ann.do(chromedp.Reload())
	ann.shows(`#position[data-position="2"]`)

	kim.click("#leave")
	kim.click("#leave-dialog-yes")
	kim.shows(`[data-ending="left"]`)
	bo.shows(`#seat-number[data-seat="1"]`)
	bo.shows("#promoted")
	bo.titled("Seat 1")
	ann.shows(`#position[data-position="1"]`)
	lee.shows(`#waiting-count[data-count="1"]`)

	lee.click("#approval")
	lee.shows(`#approval[aria-checked="true"]`)
	dan := c.joins(i, code, "dan")
	dan.shows("#pending")
	lee.shows(`#pending-count[data-count="1"]`)
	eve := c.joins(i, code, "eve")
	eve.shows("#pending")
	lee.shows(`#pending-count[data-count="2"]`)
	lee.press("a")
	dan.shows(`#position[data-position="2"]`)
	lee.shows(`#pending-count[data-count="1"]`)
	lee.evaluate(`document.getElementById("pending-list").focus(), ""`)
	lee.press("x")
	eve.shows(`[data-ending="notAdmitted"]`)
	lee.shows(`#pending-count[data-count="0"]`)
	if at := lee.evaluate("document.activeElement.id"); at != "pending-list" {
		t.Errorf("the focus went to %q with the last row", at)
	}

	lee.press("l")
	lee.shows(`#lock[aria-checked="true"]`)
	fay := c.joins(i, code, "fay")
	fay.shows(`#error[data-code="room_locked"]`)
	lee.click("#edit-capacity")
	lee.fill("#capacity-input", "3")
	lee.click("#capacity-input-save")
	ann.shows(`#seat-number[data-seat="2"]`)
	dan.shows(`#seat-number[data-seat="3"]`)
	lee.shows(`#waiting-count[data-count="0"]`)

	// A browser keeps a page that was left, ready to go back to.
	ann.do(chromedp.Navigate("about:blank"))
	lee.shows(`#roster .row.offline[data-key="ann"]`)
	ann.evaluate(`history.back(), ""`)
	lee.shows(`#roster .row.online[data-key="ann"]`)
	for _, w := range []*window{lee, kim, bo, ann, dan, eve, fay} {
		w.stayedAt(i)
	}
}

// TestAScheduledRoomInTheBrowser has a room opened before its time by hand, and
// another by itself.
func TestAScheduledRoomInTheBrowser(t *testing.T) {
	i := startInstance(t)
	c := startChromium(t)
	lee := c.window()
	lee.do(chromedp.Navigate(i.loadTarget.url.String() + "/teach#passport=" + i.pass("lee", room.Instructor)))
	lee.fill("#open-title", "Physics 2")
	lee.evaluate(`document.getElementById("open-later").click(), ""`)
	lee.shows("#open-at")
	lee.click("#open-button")
	lee.shows("#start-card")
	code := lee.attribute("#code", "data-code")
	kim := c.joins(i, code, "kim")
	kim.shows("main[data-starts-at]")
	kim.do(chromedp.Reload())
	kim.shows("main[data-starts-at]")
	lee.press("s")
	lee.shows("#taken")
	kim.click("#try-now")
	kim.shows(`#seat-number[data-seat="1"]`)

	soon := time.Now().Add(10 * time.Second) // by then the two are there
	l := i.schedule("ray", soon)
	ray := c.desk(l)
	ray.shows("#countdown")
	bo := c.joins(i, l.code, "bo")
	bo.shows("#countdown")
	bo.shows(`#seat-number[data-seat="1"]`)
	if early := time.Until(soon); early > 0 {
		t.Errorf("in the room %v before it starts", early)
	}
	ray.shows(`#taken[data-taken="1"]`)
	for _, w := range []*window{lee, kim, ray, bo} {
		w.stayedAt(i)
	}
}

// schedule opens a room of 5 seats that starts at a time.
func (i *instance) schedule(instructor string, at time.Time) *lecture {
	i.t.Helper()
	l := &lecture{instance: i, passport: i.pass(instructor, room.Instructor)}
	var opened struct {
		Room struct {
			ID   room.ID
			Code string
		}
	}
	body := fmt.Sprintf(`{"title":"Physics 2","capacity":5,"options":{"starts_at":%q}}`, room.Stamp(at))
	if err := i.call(i.t.Context(), l.passport, http.MethodPost, "/v1/rooms", body, &opened); err != nil {
		i.t.Fatal(err)
	}
	l.id, l.code = opened.Room.ID, opened.Room.Code
	return l
}

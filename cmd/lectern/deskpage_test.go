package main

import (
	"fmt"
	"net/http"
	"testing"
)

// deskParts are parts of the desk that people's coming and going leaves as they
// were drawn, with what they say.
var deskParts = []string{
	".desk-head .eyebrow", "#connection", "#code-label", ".chart figcaption", "#open-record", "#settings-label", "#lock", "#closes-at", "#bans",
	"#roster .head .cell.name", "#roster .row.online .cell.online", "#roster .row.online .cell.action",
}

// TestDeskIsUpToDate changes all that a desk shows, and looks for it there.
func TestDeskIsUpToDate(t *testing.T) {
	i := startInstance(t)
	c := startChromium(t)
	l := i.open("lee", 5)
	lee := c.desk(l)
	kim := c.joins(i, l.code, "kim")
	kim.shows(`#seat-number[data-seat="1"]`)
	lee.shows(`#roster .row.online[data-key="kim"]`)

	said := map[string]string{}
	for _, part := range deskParts {
		said[part] = lee.says(part)
	}
	lee.click("#language")
	eventually(t, func() string {
		for _, part := range deskParts {
			if text := lee.says(part); text == said[part] {
				return part + " still says " + text
			}
		}
		return ""
	})

	change := `{"title":"Chemistry 1","capacity":7,"options":{"locked":true}}`
	if err := i.call(t.Context(), l.passport, http.MethodPatch, "/v1/rooms/"+string(l.id), change, nil); err != nil {
		t.Fatal(err)
	}
	lee.shows(`#lock[aria-checked="true"]`)
	lee.shows(`#capacity[data-capacity="7"]`)
	if title := lee.says("#room-title"); title != "Chemistry 1" {
		t.Errorf("the title is %q", title)
	}

	kim.close()
	lee.shows(`#roster .row.offline[data-key="kim"]`)
	if text := lee.says("#roster .row.offline .cell.online"); text == said["#roster .row.online .cell.online"] {
		t.Errorf("who is away is said to be %s", text)
	}
	if err := i.call(t.Context(), l.passport, http.MethodDelete, "/v1/rooms/"+string(l.id)+"/members/kim?ban=true", "", nil); err != nil {
		t.Fatal(err)
	}
	lee.shows(`#bans[data-count="1"]`)
	lee.shows(`#roster[aria-rowcount="1"]`)
}

// says returns the text of a part of the page.
func (w *window) says(part string) string {
	w.t.Helper()
	w.shows("%s", part)
	return w.evaluate(fmt.Sprintf("document.querySelector(%q).innerText", part))
}

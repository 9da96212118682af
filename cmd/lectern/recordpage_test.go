package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/xuri/excelize/v2"

	"github.com/lectern-room/lectern/room"
)

// TestRecordInTheBrowser goes through what an instructor does with an
// attendance record, in a real browser: during the class, and after it.
func TestRecordInTheBrowser(t *testing.T) {
	i := startInstance(t)
	c := startChromium(t)
	l := i.open("lee", 5)
	home := i.loadTarget.url.String()
	record := home + "/teach/" + string(l.id) + "/record"

	lee := c.window()
	lee.do(chromedp.Navigate(record + "#passport=" + l.passport))
	lee.shows("#nobody")
	kim := l.seat(c, "kim", "김민준")
	lee.looksAgain()
	lee.shows(`.row[data-key="kim"]`)

	// What is being written stays while the record refreshes itself under it.
	lee.click(`.row[data-key="kim"] [data-testid=status]`)
	lee.click("#status-late")
	lee.fill("#reason", "the bus was late")
	kim.do(chromedp.Reload())
	kim.shows(`#seat-number[data-seat="1"]`)
	bo := l.seat(c, "bo", "Bo")
	lee.shows(`.row[data-key="bo"]`)
	if typed := lee.evaluate("document.querySelector('#reason').value"); typed != "the bus was late" {
		t.Errorf("after a refresh the reason is %q", typed)
	}
	lee.click("#save-correction")
	lee.shows(`.row[data-key="kim"] [data-status=late]`)

	bo.click("#leave")
	bo.click("#leave-dialog-yes")
	bo.shows(`[data-ending="left"]`)
	if err := i.closeRoom(t.Context(), l.passport, l.id); err != nil {
		t.Fatal(err)
	}
	lee.looksAgain()
	lee.shows(".desk-head .pill.closed")
	if n := lee.count(`.row[data-key="kim"] .when span`); n != "2" {
		t.Errorf("the bar of someone who came back has %s parts", n)
	}
	if n := lee.count("#record .rows .row"); n != "2" {
		t.Errorf("there are %s rows", n)
	}

	lee.click("#edit-policy")
	lee.fill("#present_percent", "101")
	lee.click("#save-policy")
	lee.shows("#present_percent[aria-invalid=true]")
	lee.fill("#present_percent", "100")
	lee.click("#save-policy")
	lee.shows("#policy")
	lee.shows(`.row[data-key="bo"] [data-status=absent]`)
	lee.shows(`.row[data-key="kim"] [data-status=late]`)

	lee.click(`.row[data-key="kim"] [data-testid=person]`)
	for _, said := range []string{"Asked to join: seat 1", "A connection ended", "Came back: seat 1", "Status set to “Late” by hand: the bus was late"} {
		eventually(t, func() string { return without(lee.evaluate("document.querySelector('#trail').innerText"), said) })
	}
	lee.click("#close-person")

	lee.reads(map[string][]string{"kim": {"김민준", "late"}, "bo": {"Bo", "absent"}})
	for _, w := range []*window{lee, kim, bo} {
		w.stayedAt(i)
	}
}

// seat has a person take a seat in a browser of their own.
func (l *lecture) seat(c *chromium, user room.UserID, name string) *window {
	l.t.Helper()
	pass, err := l.loadTarget.passport(user, name, room.Student)
	if err != nil {
		l.t.Fatal(err)
	}
	w := c.window()
	w.do(chromedp.Navigate(l.loadTarget.url.String() + "/j/" + l.code + "#passport=" + pass))
	w.click("#join-button")
	w.shows("#seat-number")
	return w
}

// looksAgain has the page believe that its tab was in the background.
func (w *window) looksAgain() {
	w.t.Helper()
	w.evaluate("document.dispatchEvent(new Event('visibilitychange')), ''")
}

// count says how many of something the page has.
func (w *window) count(selector string) string {
	w.t.Helper()
	return w.evaluate(fmt.Sprintf("String(document.querySelectorAll(%q).length)", selector))
}

func without(text, part string) string {
	if strings.Contains(text, part) {
		return ""
	}
	return part + " is not in " + text
}

// reads downloads the record in each format, and wants in each row, by user,
// certain cells.
func (w *window) reads(want map[string][]string) {
	w.t.Helper()
	folder := w.t.TempDir()
	w.downloadsTo(folder)
	for format, rows := range map[string]func(path string) ([][]string, error){"csv": csvRows, "xlsx": xlsxRows, "json": jsonRows} {
		w.click("[data-testid=download-" + format + "]")
		eventually(w.t, func() string {
			files, _ := filepath.Glob(filepath.Join(folder, "*."+format))
			if len(files) == 0 {
				return "no " + format + " file came"
			}
			read, err := rows(files[0])
			if err != nil {
				return err.Error()
			}
			return lacking(read, want)
		})
	}
}

// lacking says which cell no row has.
func lacking(rows [][]string, want map[string][]string) string {
	for user, cells := range want {
		at := slices.IndexFunc(rows, func(row []string) bool { return len(row) > 0 && row[0] == user })
		if at < 0 {
			return user + " has no row"
		}
		for _, cell := range cells {
			if !slices.Contains(rows[at], cell) {
				return fmt.Sprintf("%s is not in %q", cell, rows[at])
			}
		}
	}
	return ""
}

func csvRows(path string) ([][]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	table := csv.NewReader(file)
	return table.ReadAll()
}

func xlsxRows(path string) ([][]string, error) {
	book, err := excelize.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer book.Close()
	return book.GetRows(book.GetSheetName(0))
}

func jsonRows(path string) (rows [][]string, err error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var record struct {
		People []struct{ User, Name, Status string }
	}
	err = json.Unmarshal(file, &record)
	for _, p := range record.People {
		rows = append(rows, []string{p.User, p.Name, p.Status})
	}
	return rows, err
}

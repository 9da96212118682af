package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/lectern-room/lectern/hub"
	"github.com/lectern-room/lectern/room"
)

type exportCommand struct {
	Room   string `arg:"" placeholder:"ROOM" help:"The room's id, or its join code while it is not closed."`
	Format string `default:"csv" help:"csv, json or xlsx."`
	Output string `placeholder:"FILE" help:"Write to a file, which only its owner can read; default: the standard output."`
}

// Run writes a room's attendance record, up to now.
func (c *exportCommand) Run(ctx context.Context, p *program) (err error) {
	switch {
	case c.Format != "csv" && c.Format != "json" && c.Format != "xlsx":
		return fmt.Errorf("--format is %q: accepted is csv, json or xlsx", c.Format)
	case c.Format == "xlsx" && c.Output == "" && isTerminal(p.stdout):
		return errors.New("a workbook is nothing for a terminal: name a file with --output")
	}
	settings, err := p.settings.check(p.environ)
	if err != nil {
		return err
	}
	r, err := openRecords(ctx, settings, newLogger(p.stderr, settings))
	if err != nil {
		return err
	}
	defer closing(r, &err)
	found, err := findRoom(ctx, r, settings, c.Room)
	if err != nil {
		return err
	}
	h, err := r.History(ctx, found.ID)
	if err != nil {
		return err
	}
	now, err := r.Now(ctx)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := c.write(&file, h, now); err != nil {
		return fmt.Errorf("write the record of room %s: %w", found.ID, err)
	}
	if c.Output == "" || names(c.Output, p.stdout) {
		_, err = file.WriteTo(p.stdout)
		return err
	}
	return writeFile(c.Output, &file)
}

func (c *exportCommand) write(w io.Writer, h *room.History, now time.Time) error {
	record := h.Record(now)
	switch c.Format {
	case "json":
		return hub.WriteJSON(w, &h.Room, record)
	case "xlsx":
		return hub.WriteXLSX(w, record)
	}
	return hub.WriteCSV(w, record)
}

// names tells whether a name is that of an open file, as /dev/stdout is: what
// else was written there stays.
func names(name string, w io.Writer) bool {
	open, ok := w.(*os.File)
	if !ok {
		return false
	}
	there, err := open.Stat()
	named, nameErr := os.Stat(name)
	return err == nil && nameErr == nil && os.SameFile(there, named)
}

// writeFile puts a whole file in place, which nobody else can read: names are
// in it.
func writeFile(name string, from io.WriterTo) (err error) {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() { // a device, or a pipe
		return writeInto(name, from)
	}
	draft, err := os.CreateTemp(filepath.Dir(name), ".export-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = from.WriteTo(draft)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err == nil {
		err = os.Rename(draft.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return nil
}

func writeInto(name string, from io.WriterTo) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = from.WriteTo(file)
	return errors.Join(err, file.Close())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/lectern-room/lectern/store"
)

const (
	// littleSpace is a term of a large school; noSpace is some full lectures,
	// and what SQLite needs to write at all.
	littleSpace = 1 << 30
	noSpace     = 100 << 20
)

// lookAtData looks at the embedded store's folder.
func (d *doctor) lookAtData(ctx context.Context, c *chart) {
	folder, err := filepath.Abs(d.data)
	if err != nil {
		c.mend("Set LECTERN_DATA to a folder", "%v", err)
		return
	}
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		d.lookAtNoData(c, folder)
		return
	}
	if err == nil && !info.IsDir() {
		c.mend("Set LECTERN_DATA to a folder", "%s is a file", folder)
		return
	}
	if err := unix.Access(folder, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		c.mend("Give it to the server's user, or set LECTERN_DATA to a folder of that user", "%s cannot be written: %v", folder, err)
		return
	}
	by, held, err := store.Holder(folder)
	switch {
	case err != nil:
		c.mend("Give the folder and its files to the server's user", "%v", err)
	case held:
		c.ok("%s is in use%s, a server's, beside which this is fine", folder, by)
	default:
		c.ok("%s can be written, and no server has it", folder)
	}
	d.lookAtSpace(c, folder)
	d.lookAtModes(c, folder)
	d.lookAtEmbedded(ctx, c)
}

// lookAtNoData looks at where the folder would be made.
func (d *doctor) lookAtNoData(c *chart, folder string) {
	above := filepath.Dir(folder)
	for {
		if _, err := os.Stat(above); err == nil || above == filepath.Dir(above) {
			break
		}
		above = filepath.Dir(above)
	}
	if err := unix.Access(above, unix.W_OK|unix.X_OK); err != nil {
		c.mend("Make it, for the server's user: install -d -m 700 -o USER "+folder, "%s is not there and cannot be made: %s: %v", folder, above, err)
		return
	}
	c.ok("%s is not there yet: the first start makes it", folder)
	d.lookAtSpace(c, above)
}

func (d *doctor) lookAtSpace(c *chart, folder string) {
	var at unix.Statfs_t
	if err := unix.Statfs(folder, &at); err != nil {
		c.note("See to it that there is a GiB free", "how much space is free there cannot be told: %v", err)
		return
	}
	switch free := uint64(at.Bavail) * uint64(at.Bsize); {
	case overNetwork(&at):
		c.mend("Put LECTERN_DATA on a disk of this machine, or use LECTERN_POSTGRES_URL", "%s is on a network drive, where SQLite's files break", folder)
	case free < noSpace:
		c.mend("Free some: when it is full nobody gets a seat", "%s has %s free", folder, size(free))
	case free < littleSpace:
		c.note("Watch it, and set LECTERN_RETENTION if old rooms need not stay: when it is full nobody gets a seat", "%s has %s free", folder, size(free))
	default:
		c.ok("%s free", size(free))
	}
}

// lookAtModes looks at who may read names and keys.
func (d *doctor) lookAtModes(c *chart, folder string) {
	info, err := os.Stat(folder)
	if err != nil || info.Mode()&privateMode == 0 {
		return
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return // it can be written, and need not be listed
	}
	for _, file := range files {
		if info, err := file.Info(); err == nil && info.Mode().IsRegular() && info.Mode()&privateMode != 0 {
			c.note("chmod 700 "+folder, "others on this machine may read %s", filepath.Join(folder, file.Name()))
			return
		}
	}
}

func (d *doctor) lookAtEmbedded(ctx context.Context, c *chart) {
	r, err := store.ReadSQLite(ctx, d.data)
	if errors.Is(err, fs.ErrNotExist) {
		c.ok("no rooms yet")
		return
	}
	if err != nil {
		c.mend("Bring the folder back from a backup, if no server has it open", "the store cannot be read: %v", err)
		return
	}
	defer r.Close()
	lacks, err := r.Pending(ctx)
	if err != nil {
		c.mend("Bring the folder back from a backup, if no server has it open", "the store cannot be read: %v", err)
		return
	}
	sayLacks(c, lacks)
}

// sayLacks tells of the schema.
func sayLacks(c *chart, lacks []string) {
	if len(lacks) == 0 {
		c.ok("the schema is up to date")
		return
	}
	c.ok("the schema lacks %s: the next start brings it up, or `lectern migrate`", strings.Join(lacks, ", "))
}

func size(bytes uint64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	default:
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
}

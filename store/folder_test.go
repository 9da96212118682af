package store

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFilesArePrivate: nobody else reads the names, whatever the umask, and
// whatever the files were.
func TestFilesArePrivate(t *testing.T) {
	umask := unix.Umask(0)
	defer unix.Umask(umask)
	ends := []string{"", "-wal", "-shm"}
	for name, were := range map[string]fs.FileMode{"new": 0, "open to all": 0o666} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for _, end := range ends {
				if were != 0 {
					if err := os.WriteFile(filepath.Join(folder, database+end), nil, were); err != nil {
						t.Fatal(err)
					}
				}
			}
			s, err := OpenSQLite(t.Context(), folder, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, end := range ends {
				info, err := os.Stat(filepath.Join(folder, database+end))
				if err != nil {
					t.Fatal(err)
				}
				if info.Mode() != 0o600 {
					t.Errorf("%s has mode %v", info.Name(), info.Mode())
				}
			}
		})
	}
}

// TestFolderIsLookedAt: who only looks whether a server has the folder keeps none
// from starting.
func TestFolderIsLookedAt(t *testing.T) {
	folder := t.TempDir()
	first, err := lockFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(folder); err == nil || !strings.Contains(err.Error(), "is in use by process") {
		t.Errorf("a second server: %v", err)
	}
	first.Close()

	looking, err := os.Open(filepath.Join(folder, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(looking.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(lockAgain/2, func() { looking.Close() })
	lock, err := lockFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
}

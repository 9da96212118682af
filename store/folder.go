package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockFolder makes the folder and locks it until the file it returns is
// closed or the process ends, however that comes. The file says which process
// has it.
func lockFolder(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	switch err = lock(file); {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = fmt.Errorf("the data folder %s is in use%s: stop that server, or give this one another folder", folder, holder(file))
	case err != nil:
		err = fmt.Errorf("lock the data folder %s: %w", folder, err)
	default:
		err = sign(file)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// lockTries and lockAgain are how long a lock that is held is tried for: who
// only looks whether a server has the folder, with Holder, is done by then.
const (
	lockTries = 5
	lockAgain = 20 * time.Millisecond
)

// lock locks the file; the error is unix.EWOULDBLOCK where another process has
// it.
func lock(file *os.File) (err error) {
	for try := range lockTries {
		if try > 0 {
			time.Sleep(lockAgain)
		}
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
	}
	return err
}

// Holder tells whether a server has the folder, and which: " by process 42", or
// nothing where that cannot be read.
func Holder(folder string) (by string, held bool, err error) {
	file, err := os.Open(filepath.Join(folder, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look at the lock of the data folder: %w", err)
	}
	defer file.Close() // which gives the lock back
	switch err := unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return holder(file), true, nil
	case err != nil:
		return "", false, fmt.Errorf("look at the lock of the data folder: %w", err)
	}
	return "", false, nil
}

// holder names the process that signed the lock file, if it can be read.
func holder(file *os.File) string {
	text, err := io.ReadAll(io.LimitReader(file, 32))
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || convErr != nil {
		return ""
	}
	return fmt.Sprintf(" by process %d", pid)
}

// keepPrivate makes a database that nobody else on the machine can read, or
// makes it so: names are in it. SQLite gives the files beside it the same mode.
func keepPrivate(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+end, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func sign(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	if _, err := fmt.Fprintln(file, os.Getpid()); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	return nil
}

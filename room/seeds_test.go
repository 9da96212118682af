package room

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// seeds are the scripts in testdata/fuzz/FuzzRoom: what each of them is for,
// and whether that happens.
func seeds() map[string]func([]Event) bool {
	return map[string]func([]Event) bool{
		"a-room-fills":          inOrder(joinedAs(Seated), joinedAs(Seated), joinedAs(Seated), joinedAs(Seated)),
		"a-seat-is-given-up":    inOrder(joinedAs(Seated), leftFor(ReasonLeft), joinedAs(Seated)),
		"the-line-moves":        inOrder(joinedAs(Waiting), leftFor(ReasonLeft), such(EventSeated)),
		"the-lobby-is-admitted": inOrder(joinedAs(Pending), joinedAs(Pending), such(EventSeated), such(EventSeated)),
		"from-lobby-to-line":    inOrder(joinedAs(Pending), such(EventAdmitted), such(EventSeated)),
		"a-seat-lapses":         inOrder(such(EventOffline), leftFor(ReasonLapsed), such(EventSeated)),
		"two-sockets":           inOrder(such(EventConnected), such(EventConnected), such(EventDisconnected), such(EventDisconnected), such(EventOffline)),
		"banned-and-back":       inOrder(leftFor(ReasonBanned), such(EventUnbanned), joinedAs(Seated)),
		"opens-when-it-is-due":  inOrder(func(e Event) bool { return e.Type == EventStarted && !e.At.IsZero() }, joinedAs(Seated)),
		"closes-when-it-is-due": inOrder(joinedAs(Seated), func(e Event) bool { return e.Type == EventClosed && e.Reason == ReasonExpired }),
		"a-new-code":            inOrder(func(e Event) bool { return e.Type == EventChanged && e.Change.Code == newCode }, joinedAs(Seated)),
		"corrected-when-closed": inOrder(joinedAs(Seated), such(EventClosed), such(EventCorrected), such(EventPolicy)),
		"a-long-lecture":        func(all []Event) bool { return len(all) > 100 && len(kinds(all)) > 14 },
	}
}

func such(t EventType) func(Event) bool { return func(e Event) bool { return e.Type == t } }

func joinedAs(s State) func(Event) bool {
	return func(e Event) bool { return e.Type == EventJoined && e.State == s }
}

func leftFor(r Reason) func(Event) bool {
	return func(e Event) bool { return e.Type == EventLeft && e.Reason == r }
}

// inOrder tells whether such events happen, one after the other.
func inOrder(such ...func(Event) bool) func([]Event) bool {
	return func(all []Event) bool {
		n := 0
		for _, e := range all {
			if n < len(such) && such[n](e) {
				n++
			}
		}
		return n == len(such)
	}
}

func kinds(all []Event) map[EventType]bool {
	seen := map[EventType]bool{}
	for _, e := range all {
		seen[e.Type] = true
	}
	return seen
}

// TestSeeds: the scripts that FuzzRoom begins with are what they are called,
// also when what bytes mean has changed.
func TestSeeds(t *testing.T) {
	folder := filepath.Join("testdata", "fuzz", "FuzzRoom")
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	all := seeds()
	for _, file := range files {
		if all[file.Name()] == nil {
			t.Errorf("what is %s for?", file.Name())
		}
	}
	for name, does := range all {
		s, err := readSeed(filepath.Join(folder, name))
		if err != nil || !does(playAll(t, s)) {
			t.Errorf("%s: %v; that happens in\ngo test fuzz v1\n[]byte(%q)", name, err, seedThat(t, does))
		}
	}
}

func readSeed(file string) (script, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	text, known := bytes.CutPrefix(bytes.TrimSpace(text), []byte("go test fuzz v1\n[]byte("))
	if !known {
		return nil, fmt.Errorf("%s is no seed", file)
	}
	s, err := strconv.Unquote(string(bytes.TrimSuffix(text, []byte(")"))))
	return script(s), err
}

// seedThat looks for a short script that does what is wanted, for as long as
// tests may take.
func seedThat(t *testing.T, does func([]Event) bool) script {
	random := rand.NewChaCha8([32]byte{})
	s := make(script, scriptLimit)
	for !does(playAll(t, s)) {
		random.Read(s)
	}
	for size := len(s) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(s); {
			if shorter := slices.Delete(slices.Clone(s), at, at+size); does(playAll(t, shorter)) {
				s = shorter
			} else {
				at += size
			}
		}
	}
	return s
}

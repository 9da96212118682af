package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lectern-room/lectern/room"
)

// FuzzRequest: whatever text a client sends, what is read of it is what a
// decoder reads; what is read comes back when it is written and read again;
// what is refused is refused in words; and nothing that a request asks for is
// out of bounds once it was looked at.
func FuzzRequest(f *testing.F) {
	files, err := filepath.Glob("../room/testdata/request-*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		message, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !utf8.Valid(data) {
			return
		}
		checkPlain(t, data)
		q, err := parseRequest(data)
		checkID(t, data, q)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		written, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseRequest(written)
		if err != nil {
			t.Fatalf("%s is read, and written as %s, which is %v", data, written, err)
		}
		if rewritten, err := json.Marshal(again); err != nil || !bytes.Equal(rewritten, written) {
			t.Fatalf("%s is written as %s and then as %s, %v", data, written, rewritten, err)
		}
		checkBounds(t, &q)
	})
}

// checkPlain checks that what is read without a decoder is what one reads.
func checkPlain(t *testing.T, data []byte) {
	object, got := room.ReadPlain(data), map[string]json.RawMessage{}
	for object.Next() {
		got[string(object.Name())] = object.Value()
	}
	var want map[string]json.RawMessage
	if object.Plain() && (json.Unmarshal(data, &want) != nil || !reflect.DeepEqual(got, want)) {
		t.Errorf("read %s as %s", data, got)
	}
	var read, decoded request
	if read.readPlain(data) && (json.Unmarshal(data, &decoded) != nil || !reflect.DeepEqual(read, decoded)) {
		t.Errorf("read %s as %+v, decoded as %+v", data, read, decoded)
	}
}

// checkID checks the id by which a request is answered: a number or a string
// that was sent, of which the answer is JSON.
func checkID(t *testing.T, data []byte, q request) {
	if q.ID == nil {
		return
	}
	var id any
	if err := json.Unmarshal(q.ID, &id); err != nil || !bytes.Contains(data, q.ID) {
		t.Fatalf("%s has the id %s: %v", data, q.ID, err)
	}
	switch id := id.(type) {
	case float64:
		if n, err := strconv.ParseInt(string(q.ID), 10, 64); err != nil || math.Abs(id) > 1<<53 || float64(n) != id {
			t.Fatalf("%s has the id %s", data, q.ID)
		}
	case string:
		if len(id) > 64 {
			t.Fatalf("%s has an id of %d bytes", data, len(id))
		}
	default:
		t.Fatalf("%s has the id %s", data, q.ID)
	}
	answer := mustJSON(errorReply{reply{q.ID, "error"}, errorOf(room.ErrFull)})
	var read struct{ ID any }
	if err := json.Unmarshal(answer, &read); err != nil || read.ID != id {
		t.Fatalf("%s is answered %s: %v", data, answer, err)
	}
}

// checkRefusal checks that a client may see the error, and learns from it.
func checkRefusal(t *testing.T, err error) {
	var refusal *room.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("%v is no refusal", err)
	}
	if refusal.Code == room.CodeBadRequest && refusal.Message == "" {
		t.Fatalf("%+v does not say what is accepted", refusal)
	}
	mustJSON(errorOf(refusal))
}

// checkBounds checks what goes on to a room.
func checkBounds(t *testing.T, q *request) {
	if c, err := q.opening(); err != nil {
		checkRefusal(t, err)
	} else if n := utf8.RuneCountInString(*c.Title); n < 1 || n > 200 || *c.Capacity < 1 || *c.Capacity > 100_000 || len(q.Key) > 64 {
		t.Fatalf("a room is opened with %s", mustJSON(q))
	}
	if id, err := q.roomID(); err != nil {
		checkRefusal(t, err)
	} else if len(id) != 26 || strings.ContainsAny(string(id), "ILOU\x00") {
		t.Fatalf("%q is a room", id)
	}
	if user, err := q.user(); err != nil {
		checkRefusal(t, err)
	} else if len(user) < 1 || len(user) > 128 || strings.ContainsRune(string(user), 0) {
		t.Fatalf("%q is a user", user)
	}
	if status, reason, err := q.correction(); err != nil {
		checkRefusal(t, err)
	} else if (status == "") != (reason == "") || utf8.RuneCountInString(reason) > 200 {
		t.Fatalf("%s corrects to %q, %q", mustJSON(q), status, reason)
	}
	if code := room.ParseCode(q.Code); code != "" && (len(code) != 8 || room.ParseCode(code) != code) {
		t.Fatalf("%q is the code %q", q.Code, code)
	}
}

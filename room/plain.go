package room

import (
	"bytes"
	"slices"
)

// A PlainObject reads a JSON object as programs write most of them: without
// space, each name once, and no value but strings without escapes and whole
// numbers. That takes a tenth of what a decoder takes, which is for whatever
// turns out not to be plain. What is not UTF-8 it takes as it is.
type PlainObject struct {
	rest  []byte // behind the last member; nil: it is not plain
	name  []byte
	value []byte // a string's with its quotes
	names [plainMembers][]byte
	count int
	ended bool // and all of it was plain
}

const (
	plainMembers = 16 // more than a passport or a request of a socket has
	plainDigits  = 15 // fewer than a float64 or an int64 holds exactly
)

// ReadPlain begins to read an object.
func ReadPlain(data []byte) PlainObject {
	rest, found := bytes.CutPrefix(data, []byte("{"))
	if !found {
		return PlainObject{}
	}
	return PlainObject{rest: rest}
}

// Next goes to the next member; false: it was the last one, or the object is
// not plain, see Plain.
func (o *PlainObject) Next() bool {
	o.ended = o.count > 0 && string(o.rest) == "}"
	if o.ended {
		return false
	}
	if o.count == len(o.names) || o.count > 0 && !o.skip(',') || !o.member() || o.twice() {
		o.rest = nil
		return false
	}
	o.names[o.count] = o.name
	o.count++
	return true
}

// Plain tells whether the object was plain to its end.
func (o *PlainObject) Plain() bool { return o.ended }

// Name returns the member's name.
func (o *PlainObject) Name() []byte { return o.name }

// Value returns the member's value as it is written.
func (o *PlainObject) Value() []byte { return o.value }

// Text returns the member's value. Where that is no string, the object is not
// plain any more.
func (o *PlainObject) Text() []byte {
	if o.value[0] != '"' {
		o.rest = nil
		return nil
	}
	return o.value[1 : len(o.value)-1]
}

// Number returns the member's value. Where that is no number, the object is
// not plain any more.
func (o *PlainObject) Number() (n int64) {
	if o.value[0] == '"' {
		o.rest = nil
		return 0
	}
	for _, c := range o.value {
		n = 10*n + int64(c-'0')
	}
	return n
}

// member takes a name and its value.
func (o *PlainObject) member() bool {
	if !o.quoted() || !o.skip(':') {
		return false
	}
	o.name = o.value[1 : len(o.value)-1]
	return o.quoted() || o.digits()
}

func (o *PlainObject) twice() bool {
	return slices.ContainsFunc(o.names[:o.count], func(other []byte) bool { return bytes.Equal(other, o.name) })
}

func (o *PlainObject) skip(c byte) bool {
	if len(o.rest) == 0 || o.rest[0] != c {
		return false
	}
	o.rest = o.rest[1:]
	return true
}

func (o *PlainObject) quoted() bool {
	if len(o.rest) == 0 || o.rest[0] != '"' {
		return false
	}
	for i := 1; i < len(o.rest); i++ {
		switch c := o.rest[i]; {
		case c == '"':
			o.value, o.rest = o.rest[:i+1], o.rest[i+1:]
			return true
		case c == '\\' || c < ' ':
			return false
		}
	}
	return false
}

func (o *PlainObject) digits() bool {
	n := 0
	for n < len(o.rest) && '0' <= o.rest[n] && o.rest[n] <= '9' {
		n++
	}
	o.value, o.rest = o.rest[:n], o.rest[n:]
	return n == 1 || n > 1 && n <= plainDigits && o.value[0] != '0'
}

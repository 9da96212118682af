package room

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// crockfordAlphabet is that of Crockford's base 32
// (https://www.crockford.com/base32.html): no letter in it can be taken for a
// digit.
const crockfordAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var crockford = base32.NewEncoding(crockfordAlphabet).WithPadding(base32.NoPadding)

// NewID makes a room's id: 128 bits in 26 characters, of which the first 48
// bits are the time in milliseconds, so that ids sort by age, and the rest is
// random.
func NewID(at time.Time) ID {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	rand.Read(b[6:])
	return ID(crockford.EncodeToString(b[:]))
}

// NewToken makes an id that says nothing, of 80 random bits in 16 characters.
func NewToken() string {
	var b [10]byte
	rand.Read(b[:])
	return crockford.EncodeToString(b[:])
}

// NewGuest makes the id of someone of whom nothing is known: the prefix, and
// 128 random bits in lower-case hex.
func NewGuest() UserID {
	var random [16]byte
	rand.Read(random[:])
	return UserID(GuestPrefix + hex.EncodeToString(random[:]))
}

// NewCode makes a join code: 40 random bits in 8 characters that can be read
// out loud.
func NewCode() string {
	var b [5]byte
	rand.Read(b[:])
	return crockford.EncodeToString(b[:])
}

// ParseCode reads a join code as people type it: in any case, with or without
// hyphens, O for 0 and I or L for 1. It returns "" if it cannot be a code.
func ParseCode(text string) string {
	if len(text) > 32 {
		return ""
	}
	var code [8]byte
	n := 0
	for _, c := range []byte(strings.ToUpper(text)) {
		switch c {
		case '-':
			continue
		case 'O':
			c = '0'
		case 'I', 'L':
			c = '1'
		}
		if n == len(code) || strings.IndexByte(crockfordAlphabet, c) < 0 {
			return ""
		}
		code[n] = c
		n++
	}
	if n < len(code) {
		return ""
	}
	return string(code[:])
}

func itoa(n int) string { return strconv.Itoa(n) }

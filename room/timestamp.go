package room

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Timestamp is a time as the protocol spells it: see Stamp. The zero time
// is null.
type Timestamp struct{ time.Time }

// MarshalJSON is json.Marshaler's.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + Stamp(t.Time) + `"`), nil
}

// UnmarshalJSON is json.Unmarshaler's. It takes any time of RFC 3339 between
// the years 2000 and 2999, and null.
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = Timestamp{}
		return nil
	}
	var at time.Time
	if err := json.Unmarshal(data, &at); err != nil {
		return err
	}
	if at = at.UTC().Truncate(time.Millisecond); at.Year() < 2000 || at.Year() > 2999 {
		return fmt.Errorf("the year %d is out of range", at.Year())
	}
	*t = Timestamp{at}
	return nil
}

// Stamp spells a time as the protocol does: RFC 3339, UTC, milliseconds.
func Stamp(t time.Time) string { return string(AppendStamp(make([]byte, 0, stampSize), t)) }

const stampSize = len("2006-01-02T15:04:05.000Z")

// AppendStamp appends what Stamp returns to b.
func AppendStamp(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
}

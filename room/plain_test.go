package room

import (
	"fmt"
	"strings"
	"testing"
)

func TestPlainObject(t *testing.T) {
	members := func(count int) string {
		var text strings.Builder
		for i := range count {
			fmt.Fprintf(&text, `,"m%d":%d`, i, i)
		}
		return "{" + text.String()[1:] + "}"
	}
	for text, plain := range map[string]bool{
		`{"a":1}`:                         true,
		`{"a":"","b":0,"":"x"}`:           true,
		"{\"a\":\"한 \x7f\"}":              true,
		`{"a":999999999999999}`:           true,
		members(plainMembers):             true,
		members(plainMembers + 1):         false,
		`{"a":1000000000000000}`:          false,
		`{"a":01}`:                        false,
		`{"a":-1}`:                        false,
		`{"a":1.5}`:                       false,
		`{"a":1e3}`:                       false,
		`{"a":}`:                          false,
		`{"a":"b}`:                        false,
		`{"a":"\n"}`:                      false,
		"{\"a\":\"\n\"}":                  false,
		`{"\u0061":1}`:                    false,
		`{"a":null}`:                      false,
		`{"a":true}`:                      false,
		`{"a":[1]}`:                       false,
		`{"a":{"b":1}}`:                   false,
		`{"a":1,"a":2}`:                   false,
		`{"a":"","b":0,"a":"x"}`:          false,
		`{"a":1,}`:                        false,
		`{"a":1"b":2}`:                    false,
		`{,"a":1}`:                        false,
		`{"a" :1}`:                        false,
		`{"a":1 }`:                        false,
		` {"a":1}`:                        false,
		`{"a":1}` + "\n":                  false,
		`{"a":1}}`:                        false,
		`{"a":1}{"a":1}`:                  false,
		`{"a":1`:                          false,
		`{"a"}`:                           false,
		`{"a"`:                            false,
		`{a:1}`:                           false,
		`{}`:                              false,
		`{`:                               false,
		`[]`:                              false,
		``:                                false,
		`"a":1}`:                          false,
		`{"a":"b","c":18,"d":"e","f":"g"`: false,
	} {
		object := ReadPlain([]byte(text))
		for object.Next() {
		}
		if again := object.Next(); again || object.Plain() != plain {
			t.Errorf("%s: plain is %v; it goes on: %v", text, object.Plain(), again)
		}
	}
}

// A member that is not of the type that is asked for is the decoder's.
func TestPlainTypes(t *testing.T) {
	for text, read := range map[string]func(*PlainObject){
		`{"a":1}`:         func(o *PlainObject) { o.Text() },
		`{"a":"1"}`:       func(o *PlainObject) { o.Number() },
		`{"a":1,"b":2}`:   func(o *PlainObject) { o.Text() },
		`{"a":"","b":""}`: func(o *PlainObject) { o.Number() },
	} {
		object := ReadPlain([]byte(text))
		for object.Next() {
			read(&object)
		}
		if object.Plain() {
			t.Errorf("%s: still plain", text)
		}
	}
}

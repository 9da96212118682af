package hub

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// textCases: section 8.1, and the table of well-formed UTF-8 in RFC 3629,
// section 4: both ends of each of its lines.
func textCases() (cases []frameCase) {
	for _, r := range []string{
		"\x00", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xe0\xbf\xbf", "\xe1\x80\x80", "\xec\xbf\xbf", "\xed\x80\x80", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xef\xbf\xbd", "\xef\xbf\xbe", "\xef\xbf\xbf", "\xef\xbb\xbf", "\xf0\x90\x80\x80", "\xf0\xbf\xbf\xbf",
		"\xf1\x80\x80\x80", "\xf3\xbf\xbf\xbf", "\xf4\x80\x80\x80", "\xf4\x8f\xbf\xbf",
	} {
		in := slices.Concat(said(r), said("a"+r+r+"z"))
		for cut := 1; cut < len(r); cut++ { // and in fragments, cut anywhere
			in = slices.Concat(in, masked(1, []byte(r[:cut])), masked(fin, []byte(r[cut:])))
		}
		want := append(hears("text "+r, "text a"+r+r+"z"), slices.Repeat(hears("text "+r), len(r)-1)...)
		cases = append(cases, frameCase{fmt.Sprintf("character % x", r), in, want})
	}
	return append(cases,
		frameCase{"a character a fragment", slices.Concat(masked(1, []byte("κ")), masked(0, []byte("ό")), masked(fin, []byte("σμε"))), hears("text κόσμε")},
		frameCase{"a byte a fragment", slices.Concat(masked(1, []byte("\xf0")), masked(0, []byte("\x9f")), masked(0, nil), masked(0, []byte("\x8e")), masked(fin, []byte("\x93"))), hears("text 🎓")},
		frameCase{"a character over 32 bytes", said(strings.Repeat("x", 30) + "한국어"), hears("text " + strings.Repeat("x", 30) + "한국어")},
		frameCase{"a character over 512 bytes", said(strings.Repeat("x", 503) + "한국어"), hears("text " + strings.Repeat("x", 503) + "한국어")},
	)
}

// badTextCases: what is not UTF-8 closes with 1007, and is never handed over.
func badTextCases() (cases []frameCase) {
	for name, text := range map[string]string{
		"continuation byte":           "\x80",
		"last continuation byte":      "\xbf",
		"two continuation bytes":      "\x80\xbf",
		"lead of two":                 "\xc3",
		"lead of three":               "\xe2",
		"lead of three, one more":     "\xe2\x82",
		"lead of four":                "\xf0",
		"lead of four, one more":      "\xf0\x9f",
		"lead of four, two more":      "\xf0\x9f\x8e",
		"half, then a letter":         "\xe2\x82a",
		"lead, then a letter":         "\xc3\x28",
		"second byte wrong":           "\xe2\x28\xa1",
		"second of four wrong":        "\xf0\x28\x8c\xbc",
		"third of four wrong":         "\xf0\x90\x28\xbc",
		"fourth of four wrong":        "\xf0\x90\x8c\x28",
		"one byte too many":           "\xc3\xa9\xa9",
		"overlong NUL":                "\xc0\x80",
		"overlong slash":              "\xc0\xaf",
		"overlong in two":             "\xc1\xbf",
		"overlong in three":           "\xe0\x80\x80",
		"overlong in three, longest":  "\xe0\x9f\xbf",
		"overlong in four":            "\xf0\x80\x80\x80",
		"overlong in four, longest":   "\xf0\x8f\xbf\xbf",
		"first surrogate":             "\xed\xa0\x80",
		"last high surrogate":         "\xed\xaf\xbf",
		"first low surrogate":         "\xed\xb0\x80",
		"last surrogate":              "\xed\xbf\xbf",
		"pair of surrogates":          "\xed\xa0\xbd\xed\xb1\x8d",
		"surrogate in a text":         "κόσμε\xed\xa0\x80edited",
		"above U+10FFFF":              "\xf4\x90\x80\x80",
		"lead f5":                     "\xf5\x80\x80\x80",
		"lead f7":                     "\xf7\xbf\xbf\xbf",
		"five bytes":                  "\xf8\x88\x80\x80\x80",
		"six bytes":                   "\xfc\x84\x80\x80\x80\x80",
		"byte fe":                     "\xfe",
		"byte ff":                     "\xff",
		"UTF-16":                      "\xff\xfea\x00",
		"Latin-1":                     "caf\xe9",
		"bad after 32 KiB, but one":   strings.Repeat("x", maxMessage-1) + "\xff",
		"bad in a string of a person": `{"id":1,"type":"join","code":"` + "\xc0\xaf" + `"}`,
	} {
		cases = append(cases, frameCase{"text: " + name, slices.Concat(said("a"), said(text), said("b")), hears("text a", "closes 1007")})
		if len(text) > 100 {
			continue
		}
		in := masked(1, nil)
		for i := range len(text) {
			in = append(in, masked(0, []byte(text[i:i+1]))...)
		}
		cases = append(cases, frameCase{"fragments: " + name, slices.Concat(in, masked(fin, nil), said("b")), hears("closes 1007")})
	}
	return append(cases,
		frameCase{"half a character, then another message", slices.Concat(masked(1, []byte("\xed\x95")), masked(fin, nil), said("\x9c")), hears("closes 1007")},
		frameCase{"a ping is no text", masked(fin|9, []byte("\xff\xfe")), hears("pong \xff\xfe")},
		frameCase{"a pong is no text", masked(fin|0xa, []byte("\xff\xfe")), nil},
	)
}

// closeCases: sections 5.5.1 and 7.4, and the codes that IANA has registered
// since.
func closeCases() (cases []frameCase) {
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4001, 4002, 4003, 4999} {
		cases = append(cases, frameCase{fmt.Sprint("close ", code), slices.Concat(said("a"), closing(code, "bye"), said("b")), hears("text a", fmt.Sprint("answers ", code, " bye"))})
	}
	for _, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 32768, 65535} {
		cases = append(cases, frameCase{fmt.Sprint("close ", code), slices.Concat(said("a"), closing(code, "bye"), said("b")), hears("text a", "closes 1002")})
	}
	long := strings.Repeat("한", 41) // 123 bytes
	return append(cases, []frameCase{
		{"close without a code", append(masked(fin|8, nil), said("a")...), hears("answers 1005 ")},
		{"close of one byte", masked(fin|8, []byte{3}), hears("closes 1002")},
		{"close without a reason", closing(1000, ""), hears("answers 1000 ")},
		{"reason of one byte", closing(1000, "x"), hears("answers 1000 x")},
		{"longest reason", closing(1000, long), hears("answers 1000 " + long)},
		{"reason too long", closing(1000, long+"x"), hears("closes 1002")},
		{"reason with NUL", closing(1000, "a\x00b"), hears("answers 1000 a\x00b")},
		{"reason not UTF-8", closing(1000, "\xff"), hears("answers 1007 ")},
		{"reason of half a character", closing(1000, "\xed\x95"), hears("answers 1007 ")},
		{"reason overlong", closing(4000, "a\xc0\x80"), hears("answers 1007 ")},
		{"reason with a surrogate", closing(4000, "\xed\xa0\x80"), hears("answers 1007 ")},
		{"close twice", append(closing(1000, "one"), closing(1001, "two")...), hears("answers 1000 one")},
		{"ping after close", append(closing(1000, ""), masked(fin|9, nil)...), hears("answers 1000 ")},
		{"nonsense after close", append(closing(1000, ""), "GET / HTTP/1.1\r\n\r\n"...), hears("answers 1000 ")},
	}...)
}

// pingCases: sections 5.5.2 and 5.5.3. How many are too many is TestPingsAtTheLimit's.
func pingCases() (cases []frameCase) {
	for _, n := range []int{0, 1, 2, 124, 125} {
		payload := strings.Repeat("\xa5", n)
		cases = append(cases,
			frameCase{fmt.Sprint("ping of ", n), masked(fin|9, []byte(payload)), hears("pong " + payload)},
			frameCase{fmt.Sprint("pong of ", n), masked(fin|0xa, []byte(payload)), nil})
	}
	return append(cases, []frameCase{
		{"pings as many as may be", bytes.Repeat(masked(fin|9, []byte("p")), maxPings), slices.Repeat(hears("pong p"), maxPings)},
		{"pongs nobody asked for", bytes.Repeat(masked(fin|0xa, []byte("p")), 500), nil},
		{"pings and texts", slices.Concat(said("a"), masked(fin|9, []byte("1")), said("b"), masked(fin|9, []byte("2")), said("c")), hears("text a", "pong 1", "text b", "pong 2", "text c")},
		{"ping, then close", append(masked(fin|9, []byte("p")), closing(1000, "")...), hears("pong p", "answers 1000 ")},
	}...)
}

// pipelineCases: many frames with one write.
func pipelineCases() []frameCase {
	many := bytes.Repeat(said("a"), 60)
	return []frameCase{
		{"many texts", many, slices.Repeat(hears("text a"), 60)},
		{"many texts, then close", append(bytes.Clone(many), closing(1000, "bye")...), append(slices.Repeat(hears("text a"), 60), "answers 1000 bye")},
		{"many texts, then a fault", slices.Concat(many, masked(fin, nil), many), append(slices.Repeat(hears("text a"), 60), "closes 1002")},
		{"long and short", slices.Concat(said(strings.Repeat("x", 4000)), said("a"), said(strings.Repeat("y", 600)), said("")), hears("text "+strings.Repeat("x", 4000), "text a", "text "+strings.Repeat("y", 600), "text ")},
		{"HTTP instead of frames", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), hears("closes 1002")},
		{"TLS instead of frames", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), hears("closes 1002")},
		{"zeros", make([]byte, 100), hears("closes 1002")},
		{"ones", bytes.Repeat([]byte{0xff}, 100), hears("closes 1002")},
	}
}

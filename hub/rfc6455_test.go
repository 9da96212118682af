package hub

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// fin is the first bit of a frame that is the last of its message. The
// reserved bits follow it.
const fin = 0x80

func hears(want ...string) []string { return want }

func said(text string) []byte { return masked(fin|0x1, []byte(text)) }

func closing(code int, reason string) []byte {
	return masked(fin|0x8, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

// declared makes a frame whose length is written in so many bytes and need not
// be that of its payload. Its key is 0.
func declared(first byte, size int, length uint64, payload string) []byte {
	b := []byte{first}
	switch size {
	case 2:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	case 8:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), length)
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// lengthCases: section 5.2, payload length.
func lengthCases() (cases []frameCase) {
	for _, n := range []int{0, 1, 124, 125, 126, 127, 128, 255, 256, 4095, maxMessage - 1, maxMessage} {
		text := strings.Repeat("x", n)
		cases = append(cases, frameCase{fmt.Sprint("text of ", n), said(text), hears("text " + text)})
	}
	for _, n := range []int{maxMessage + 1, 65535, 65536, 65537, 1 << 20} {
		cases = append(cases, frameCase{fmt.Sprint("text of ", n), said(strings.Repeat("x", n)), hears("closes 1009")})
	}
	over := strings.Repeat("x", maxMessage+1)
	return append(cases, []frameCase{
		// A sender must take the shortest form; a receiver may be lenient, and is.
		{"0 in 2 bytes", declared(fin|1, 2, 0, ""), hears("text ")},
		{"5 in 2 bytes", declared(fin|1, 2, 5, "hello"), hears("text hello")},
		{"125 in 2 bytes", declared(fin|1, 2, 125, over[:125]), hears("text " + over[:125])},
		{"0 in 8 bytes", declared(fin|1, 8, 0, ""), hears("text ")},
		{"5 in 8 bytes", declared(fin|1, 8, 5, "hello"), hears("text hello")},
		{"126 in 8 bytes", declared(fin|1, 8, 126, over[:126]), hears("text " + over[:126])},
		{"32768 in 8 bytes", declared(fin|1, 8, maxMessage, over[1:]), hears("text " + over[1:])},
		{"ping of 4 in 2 bytes", declared(fin|9, 2, 4, "ping"), hears("pong ping")},
		{"ping of 125 in 8 bytes", declared(fin|9, 8, 125, over[:125]), hears("pong " + over[:125])},
		{"close of 2 in 8 bytes", declared(fin|8, 8, 2, "\x03\xe8"), hears("answers 1000 ")},

		{"2^63", declared(fin|1, 8, 1<<63, ""), hears("closes 1002")},
		{"2^64-1", declared(fin|1, 8, 1<<64-1, ""), hears("closes 1002")},
		{"fragment of 2^63", declared(1, 8, 1<<63, ""), hears("closes 1002")},
		{"continuation of 2^63", append(masked(1, []byte("a")), declared(fin, 8, 1<<63, "")...), hears("closes 1002")},
		{"ping of 2^63", declared(fin|9, 8, 1<<63, ""), hears("closes 1002")},
		{"close of 2^63", declared(fin|8, 8, 1<<63, ""), hears("closes 1002")},
		{"2^63-1, so far too much", declared(fin|1, 8, 1<<63-1, over), hears("closes 1009")},
		{"2^32, so far too much", declared(fin|1, 8, 1<<32, over), hears("closes 1009")},
		{"continuation of 2^63-1", append(masked(1, []byte("a")), declared(fin, 8, 1<<63-1, over)...), hears("closes 1009")},
		{"ping of 126", declared(fin|9, 2, 126, over[:126]), hears("closes 1002")},
		{"ping of 65535", declared(fin|9, 2, 65535, ""), hears("closes 1002")},
		{"ping of 65536", declared(fin|9, 8, 65536, ""), hears("closes 1002")},
		{"ping of 2^63-1", declared(fin|9, 8, 1<<63-1, ""), hears("closes 1002")},
		{"pong of 126", declared(fin|0xa, 2, 126, over[:126]), hears("closes 1002")},
		{"close of 126", declared(fin|8, 2, 126, "\x03\xe8"+over[:124]), hears("closes 1002")},
	}...)
}

// reservedBitCases: no extension is agreed on, so every reserved bit is wrong,
// as section 5.2 has it.
func reservedBitCases() (cases []frameCase) {
	for bits := byte(1); bits < 8; bits++ {
		for name, first := range map[string]byte{"text": fin | 1, "first fragment": 1, "binary": fin | 2, "close": fin | 8, "ping": fin | 9, "pong": fin | 0xa} {
			cases = append(cases, frameCase{fmt.Sprintf("bits %03b of %s", bits, name), slices.Concat(said("a"), masked(first|bits<<4, []byte("\x03\xe8"))), hears("text a", "closes 1002")})
		}
		for name, first := range map[string]byte{"continuation": 0, "last continuation": fin, "ping in a message": fin | 9} {
			cases = append(cases, frameCase{fmt.Sprintf("bits %03b of %s", bits, name), append(masked(1, []byte("a")), masked(first|bits<<4, []byte("b"))...), hears("closes 1002")})
		}
	}
	return cases
}

// opcodeCases: section 5.2, opcode. Text, and pings, have their own.
func opcodeCases() (cases []frameCase) {
	for _, op := range []byte{3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		for name, in := range map[string][]byte{
			"":              masked(fin|op, nil),
			" with payload": masked(fin|op, []byte("abc")),
			" not final":    masked(op, []byte("abc")),
			" in a message": append(masked(1, []byte("a")), masked(fin|op, []byte("b"))...),
		} {
			cases = append(cases, frameCase{fmt.Sprintf("opcode %x%s", op, name), append(in, said("b")...), hears("closes 1002")})
		}
	}
	return append(cases, []frameCase{
		{"binary", slices.Concat(said("a"), masked(fin|2, []byte("b")), said("c")), hears("text a", "closes 1003")},
		{"binary of nothing", masked(fin|2, nil), hears("closes 1003")},
		{"binary in fragments", append(masked(2, []byte("a")), masked(fin, []byte("b"))...), hears("closes 1003")},
		{"long binary", masked(fin|2, make([]byte, 65536)), hears("closes 1003")},
		{"binary that is text", masked(fin|2, []byte(`{"id":1,"type":"ping"}`)), hears("closes 1003")},
	}...)
}

// maskCases: section 5.3, client-to-server masking.
func maskCases() []frameCase {
	keyed := func(key, payload string) []byte {
		b := append([]byte{fin | 1, 0x80 | byte(len(payload))}, key...)
		for i := range payload {
			b = append(b, payload[i]^key[i%4])
		}
		return b
	}
	plain := func(first byte, payload string) []byte {
		return append([]byte{first, byte(len(payload))}, payload...)
	}
	return []frameCase{
		{"key 0", keyed("\x00\x00\x00\x00", "hello"), hears("text hello")},
		{"key of ones", keyed("\xff\xff\xff\xff", "hello"), hears("text hello")},
		{"key like the text", keyed("hell", "hello"), hears("text hello")},
		{"a key each", append(keyed("\x01\x02\x03\x04", "one"), keyed("\xfe\xfd\xfc\xfb", "seven..")...), hears("text one", "text seven..")},
		{"text not masked", append(said("a"), plain(fin|1, "b")...), hears("text a", "closes 1002")},
		{"nothing, not masked", plain(fin|1, ""), hears("closes 1002")},
		{"ping not masked", plain(fin|9, "a"), hears("closes 1002")},
		{"pong not masked", plain(fin|0xa, ""), hears("closes 1002")},
		{"close not masked", plain(fin|8, "\x03\xe8"), hears("closes 1002")},
		{"fragment not masked", plain(1, "a"), hears("closes 1002")},
		{"continuation not masked", append(masked(1, []byte("a")), plain(fin, "b")...), hears("closes 1002")},
		{"long text not masked", textFrame(bytes.Repeat([]byte("x"), 300)), hears("closes 1002")},
	}
}

// fragmentCases: section 5.4.
func fragmentCases() []frameCase {
	start := func(s string) []byte { return masked(1, []byte(s)) }
	more := func(s string) []byte { return masked(0, []byte(s)) }
	end := func(s string) []byte { return masked(fin, []byte(s)) }
	control := func(op byte, s string) []byte { return masked(fin|op, []byte(s)) }
	most := strings.Repeat("x", maxMessage)
	return []frameCase{
		{"two fragments", slices.Concat(start("a"), end("b")), hears("text ab")},
		{"three fragments", slices.Concat(start("a"), more("b"), end("c")), hears("text abc")},
		{"first is empty", slices.Concat(start(""), end("b")), hears("text b")},
		{"last is empty", slices.Concat(start("a"), end("")), hears("text a")},
		{"all are empty", slices.Concat(start(""), more(""), more(""), end("")), hears("text ")},
		{"many of one byte", slices.Concat(start("x"), bytes.Repeat(more("x"), 98), end("x")), hears("text " + most[:100])},
		{"many of none", slices.Concat(start("a"), bytes.Repeat(more(""), 2_000), end("b")), hears("text ab")},
		{"fragments of 126 and more", slices.Concat(start(most[:126]), more(most[:127]), end(most[:300])), hears("text " + most[:553])},
		{"two messages", slices.Concat(start("a"), end("b"), start("c"), end("d"), said("e")), hears("text ab", "text cd", "text e")},
		{"32768 in all", slices.Concat(start(most[:1]), more(most[:maxMessage-2]), end("x")), hears("text " + most)},
		{"32768, and nothing", slices.Concat(start(most), more(""), end("")), hears("text " + most)},
		{"32768, and one more", slices.Concat(start(most), end("x")), hears("closes 1009")},
		{"32768, and one more in between", slices.Concat(start(most), more("x"), end("")), hears("closes 1009")},
		{"32769 in one fragment", start(most + "x"), hears("closes 1009")},
		{"32769 in small ones", slices.Concat(start("x"), bytes.Repeat(more(most[:1<<10]), 32)), hears("closes 1009")},

		{"ping between", slices.Concat(start("a"), control(9, "p"), end("b")), hears("pong p", "text ab")},
		{"pong between", slices.Concat(start("a"), control(0xa, "p"), end("b")), hears("text ab")},
		{"pings and pongs between", slices.Concat(start("a"), control(9, "1"), more("b"), control(0xa, ""), control(9, "2"), more("c"), control(9, ""), end("d")), hears("pong 1", "pong 2", "pong ", "text abcd")},
		{"ping in a character", slices.Concat(start("\xed\x95"), control(9, "p"), end("\x9c")), hears("pong p", "text 한")},
		{"close between", slices.Concat(start("a"), closing(1000, "enough"), end("b")), hears("answers 1000 enough")},
		{"close without a code between", slices.Concat(start("a"), control(8, ""), end("b")), hears("answers 1005 ")},

		{"continuation of nothing", slices.Concat(end("a"), said("b")), hears("closes 1002")},
		{"continuation of nothing, not final", slices.Concat(more("a"), said("b")), hears("closes 1002")},
		{"continuation of nothing, empty", end(""), hears("closes 1002")},
		{"continuation after the end", slices.Concat(start("a"), end("b"), end("c")), hears("text ab", "closes 1002")},
		{"continuation after a text", slices.Concat(said("a"), more("b")), hears("text a", "closes 1002")},
		{"text inside of text", slices.Concat(start("a"), said("b")), hears("closes 1002")},
		{"text begins inside of text", slices.Concat(start("a"), start("b"), end("c")), hears("closes 1002")},
		{"text after a continuation", slices.Concat(start("a"), more("b"), said("c")), hears("closes 1002")},
		{"binary inside of text", slices.Concat(start("a"), control(2, "b")), hears("closes 1002")},
		{"ping in fragments", slices.Concat(masked(9, []byte("a")), end("b")), hears("closes 1002")},
		{"pong in fragments", masked(0xa, []byte("a")), hears("closes 1002")},
		{"close in fragments", slices.Concat(masked(8, []byte("\x03\xe8")), end("bye")), hears("closes 1002")},
		{"ping in fragments between", slices.Concat(start("a"), masked(9, nil), end("b")), hears("closes 1002")},
	}
}

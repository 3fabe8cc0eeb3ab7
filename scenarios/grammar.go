package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gatewaylab/servers"
)

// Loads, requests and crowds have a text form, which the command line and
// scenario files share. Words are separated by white space.
//
//	load    = stage { "then" stage } .
//	stage   = [ NAME ":" ] ( [ "poisson" ] arrive | replay | users ) [ "over" DURATION ] .
//	arrive  = "constant" RATE
//	        | "ramp"     RATE ".." RATE
//	        | "steps"    RATE ".." RATE "in" COUNT
//	        | "spike"    RATE ".." RATE "at" DURATION "for" DURATION
//	        | "sine"     RATE ".." RATE "every" DURATION .
//	replay  = "replay" FILE .
//	users   = ( COUNT "users" | COUNT ".." COUNT "users" "in" COUNT )
//	          [ "thinking" [ "about" ] DURATION ] .
//
//	request = [ METHOD ] PATH { option } .
//	option  = "name=" NAME | "weight=" NUMBER | "size=" SIZE | "body=" VALUE
//	        | "header=" VALUE                   field:value, as often as wanted
//	        | "chunked" | "stream" | "fault" .
//
//	crowd   = [ NAME ":" ] COUNT KIND [ "at" SIZE "/s" ] [ "every" DURATION ] [ request ] .
//	KIND    = "slow-send" | "slow-read" | "idle" | "periodic" .
//
//	backing = [ SETTING ] { "," KEY SETTING } .  a backing service, see servers.Service
//
//	entry   = [ IDENTIFIER "=" ] SPEC .          a model, see servers.Spec
//
// A range such as 10/s..500/s is one word. A RATE is a number above 0 (in a
// range one side may be 0) and "/ms", "/s", "/m" or "/h"; a DURATION is one of
// Go's, such as 1m30s; a SIZE is a number and B, KB, MB, KiB or MiB; a NAME
// begins with a letter and goes on with letters, digits, "-" and "_". PATH
// begins with "/" and holds white space only in braces, in which values are
// drawn (see load.Request). FILE and VALUE stand in double quotes, with Go's
// escapes, if they hold white space or begin with a quote.
//
// A SETTING goes up to the next comma. The first needs no KEY: it is that of the
// service's first option, as the delay is of upstream; see servers/latency for
// the forms of a delay.
//
// "thinking about" draws each think time from an exponential distribution.
// "over" may be left out of a replay, which then lasts as long as its
// arrivals, and of a load's only stage, whose length is then said elsewhere.

// A GrammarError says what is wrong with a text form and where.
type GrammarError struct {
	Text   string
	Column int // characters, from 1
	Msg    string
}

func (e *GrammarError) Error() string {
	return fmt.Sprintf("%q, column %d: %s", e.Text, e.Column, e.Msg)
}

// textParser walks through a text form.
type textParser struct {
	text string
	at   int // bytes
}

func (p *textParser) fail(at int, format string, args ...any) error {
	return &GrammarError{
		Text: p.text, Column: utf8.RuneCountInString(p.text[:min(at, len(p.text))]) + 1, Msg: fmt.Sprintf(format, args...),
	}
}

const space = " \t\r\n"

func (p *textParser) skip() {
	for p.at < len(p.text) && strings.IndexByte(space, p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *textParser) done() bool {
	p.skip()
	return p.at == len(p.text)
}

// from is the piece from start to where the parser stands.
func (p *textParser) from(start int) piece {
	return piece{
		text:  p.text[start:p.at],
		wrong: func(at int, msg string) error { return p.fail(start+at, "%s", msg) },
	}
}

// word reads up to the next white space; at the end it is empty.
func (p *textParser) word() piece {
	p.skip()
	start := p.at
	for p.at < len(p.text) && strings.IndexByte(space, p.text[p.at]) < 0 {
		p.at++
	}
	return p.from(start)
}

// peek is the next word, which stays.
func (p *textParser) peek() piece {
	at := p.at
	defer func() { p.at = at }()
	return p.word()
}

// keyword takes the next word if it is the one given.
func (p *textParser) keyword(word string) bool {
	if p.peek().text != word {
		return false
	}
	p.word()
	return true
}

// need reads a word that must stand here, before what.
func (p *textParser) need(word, what string) error {
	c := p.word()
	if c.text == word {
		return nil
	}
	return c.fail("expected %q %s, found %s%s", word, what, found(c.text), meant(c.text, word))
}

// keywords are the words of the grammar that stand between others.
var keywords = []string{"over", "then", "in", "at", "for", "every", "thinking", "about", "users"}

// meant names the nearest of a few words that could stand here, unless the
// word is right, and only its place is wrong.
func meant(word string, words ...string) string {
	if slices.Contains(keywords, word) {
		return ""
	}
	text, _, _ := strings.Cut(hint(word, words...), " (known:")
	return text
}

// after reads the word that follows a keyword, as the value of a key.
func (p *textParser) after(key string) piece {
	c := p.word()
	c.key = key
	return c
}

// name takes a word that ends in a colon.
func (p *textParser) name() (c piece, ok bool) {
	c = p.peek()
	text, ok := strings.CutSuffix(c.text, ":")
	if ok {
		p.word()
		c.key, c.text = "name", text
	}
	return c, ok
}

// value reads a quoted text, or up to the next white space.
func (p *textParser) value(key string) (piece, error) {
	start := p.at
	if start == len(p.text) || p.text[start] != '"' {
		if start < len(p.text) && strings.IndexByte(space, p.text[start]) >= 0 {
			return piece{key: key, text: "", wrong: p.from(start).wrong}, nil
		}
		return p.after(key), nil
	}
	quoted, err := strconv.QuotedPrefix(p.text[start:])
	if err != nil {
		return piece{}, p.fail(start, "expected a text in double quotes, with \\\" and \\\\ for \" and \\, found one without an end or with an unknown escape")
	}
	p.at += len(quoted)
	if p.at < len(p.text) && strings.IndexByte(space, p.text[p.at]) < 0 {
		return piece{}, p.fail(p.at, "expected white space after the closing quote, found %s", found(p.peek().text))
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return piece{}, p.fail(start, "expected a text in double quotes: %v", err)
	}
	return piece{key: key, text: text, wrong: func(_ int, msg string) error { return p.fail(start, "%s", msg) }}, nil
}

func found(text string) string {
	if text == "" {
		return "nothing"
	}
	return strconv.Quote(text)
}

// hint names the nearest known word, if there is a word at all.
func hint(word string, known ...string) string {
	if word == "" {
		return ""
	}
	return servers.Nearest(word, known)
}

package app

import (
	"strconv"
	"strings"
)

// Pattern is what /bytes repeats: 64 bytes.
const Pattern = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-\n"

// blockSize is what /bytes writes at a time: a whole number of patterns.
const blockSize = 512 * len(Pattern)

func (a *App) stream(w Response, r *Request, v []int) error {
	if err := w.Start(200, []Field{{"Content-Type", "text/plain; charset=utf-8"}}); err != nil || r.Method == "HEAD" {
		return err
	}
	chunks, every := v[0], v[1]
	for i := 1; i <= chunks; i++ {
		if i > 1 {
			if err := a.sleep(r, every); err != nil {
				return err
			}
		}
		line := "chunk " + strconv.Itoa(i) + " of " + strconv.Itoa(chunks) + "\n"
		if _, err := w.Write([]byte(line)); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) bytes(w Response, r *Request, v []int) error {
	left := v[0]
	header := []Field{{"Content-Type", "application/octet-stream"}, {"Content-Length", strconv.Itoa(left)}}
	if v[2] > 0 {
		header = append(header, Field{"X-Head", strings.Repeat("x", v[2])})
	}
	err := w.Start(200, header)
	if err != nil || r.Method == "HEAD" {
		return err
	}
	block := make([]byte, 0, blockSize)
	for len(block) < min(left, cap(block)) {
		block = append(block, Pattern...)
	}
	for every := v[1]; left > 0; {
		n, err := w.Write(block[:min(left, len(block))])
		if err != nil {
			return err
		}
		left -= n
		if every == 0 || left == 0 {
			continue
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if err := a.sleep(r, every); err != nil {
			return err
		}
	}
	return nil
}

package app

import (
	"crypto/sha256"
	"io"
	"strconv"
)

// What a unit of work is made of. A step hashes 31 blocks and the padding's
// one; so much for a step because twins in slower languages should spend
// their time in the hash, as this one does, and not in calling it. 1984 bytes
// also stay below the size from which Python's hashlib lets go of the
// interpreter lock (2048): this is work, not waiting.
const (
	StepBytes    = 1984 // 31 SHA-256 blocks of 64 bytes
	StepsPerUnit = 90   // with StepBytes, about 0.1 ms on a core with SHA instructions
)

// Work does units of CPU work and returns its result. It is a fixed amount of
// computing, never "until the clock says so": a spin would scale with cores
// that are not there. Start from StepBytes zero bytes; a step replaces the
// first 32 with the SHA-256 digest of all; after units × StepsPerUnit steps
// the first 32 are the result.
func Work(units int) [sha256.Size]byte {
	var m [StepBytes]byte
	for range units * StepsPerUnit {
		d := sha256.Sum256(m[:])
		copy(m[:], d[:])
	}
	return [sha256.Size]byte(m[:sha256.Size])
}

func (a *App) wait(w Response, r *Request, v []int) error {
	if err := a.sleep(r, v[0]); err != nil {
		return err
	}
	return text(w, 200, waited(v[0]))
}

func (a *App) cpu(w Response, r *Request, v []int) error {
	sum, err := worked(r, v[0])
	if err != nil {
		return err
	}
	return text(w, 200, sum)
}

func (a *App) mixed(w Response, r *Request, v []int) error {
	if err := a.sleep(r, v[0]); err != nil {
		return err
	}
	sum, err := worked(r, v[1])
	if err != nil {
		return err
	}
	return text(w, 200, waited(v[0])+sum)
}

func waited(ms int) string { return "waited " + milliseconds(ms) }

func milliseconds(n int) string { return strconv.Itoa(n) + " ms\n" }

func worked(r *Request, units int) (string, error) {
	var d [sha256.Size]byte
	if err := offload(r, func() { d = Work(units) }); err != nil {
		return "", err
	}
	return "units " + strconv.Itoa(units) + "\nsha256 " + hexadecimal(d[:]) + "\n", nil
}

// digest reads a body to its end.
func digest(body io.Reader) (size int64, sum string, err error) {
	h := sha256.New()
	size, err = io.Copy(h, body)
	return size, hexadecimal(h.Sum(nil)), err
}

// hexadecimal is encoding/hex's EncodeToString; that package brings fmt along.
func hexadecimal(b []byte) string {
	const digits = "0123456789abcdef"
	s := make([]byte, 0, 2*len(b))
	for _, c := range b {
		s = append(s, digits[c>>4], digits[c&15])
	}
	return string(s)
}

package hops

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"gatewaylab/servers/trace"
)

// Capture writes the traces' connections as a capture file (pcapng) that
// Wireshark and tshark open. Each hop is an interface of the capture, whose
// name says which. The bytes and their times are those that were recorded; the
// IP and TCP headers around them are made here, the real ones having stayed in
// the kernel, and for a hop over a Unix socket the addresses are made up too:
// loopback addresses and the port that the protocol's programs mostly use. All
// that is said in the file. What crossed no socket, a program's environment or
// a call, is not in it.
func Capture(w io.Writer, traces []*trace.Trace) error {
	var out *pcapgo.NgWriter
	number := 0
	for _, t := range traces {
		var packets []packet
		for i := range t.Hops {
			h := &t.Hops[i]
			if h.Kind != trace.Socket {
				continue
			}
			c, err := newConversation(h, number)
			if err != nil {
				return fmt.Errorf("hop %s → %s: %w", h.From, h.To, err)
			}
			if number++; out == nil {
				out, err = pcapgo.NewNgWriterInterface(w, c.describe(t, h), pcapgo.NgWriterOptions{
					SectionInfo: pcapgo.NgSectionInfo{Application: "Gateway Lab", Comment: headline(t) + ". Payloads and times as recorded; IP and TCP headers made around them."},
				})
				c.number = 0
			} else {
				c.number, err = out.AddInterface(c.describe(t, h))
			}
			if err != nil {
				return err
			}
			if err := c.record(t.Started, h); err != nil {
				return err
			}
			packets = append(packets, c.packets...)
		}
		slices.SortStableFunc(packets, func(a, b packet) int { return a.at.Compare(b.at) })
		for _, p := range packets {
			info := gopacket.CaptureInfo{Timestamp: p.at, CaptureLength: len(p.data), Length: len(p.data), InterfaceIndex: p.number}
			if err := out.WritePacketWithOptions(info, p.data, pcapgo.NgPacketOptions{Comments: p.comments}); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// A packet is one of the capture.
type packet struct {
	at       time.Time
	number   int // of the interface
	data     []byte
	comments []string
}

// A conversation is one connection as the packets that could have carried it.
type conversation struct {
	number   int
	ends     [2]netip.AddrPort // From's and To's
	madeUp   bool
	sequence [2]uint32
	packets  []packet
}

// ports are what programs that speak a protocol mostly listen on.
var ports = map[string]uint16{"HTTP": 8000, "FastCGI": 9000, "SCGI": 4000, "uwsgi": 3031}

func newConversation(h *trace.Hop, number int) (*conversation, error) {
	c := &conversation{number: number, sequence: [2]uint32{1000, 5000}}
	if h.Network == "unix" {
		c.madeUp = true
		c.ends[0] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(2*number + 1)}), uint16(50000+number))
		c.ends[1] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(2*number + 2)}), cmp.Or(ports[h.Protocol], 1))
		return c, nil
	}
	for i, address := range []string{h.Local, h.Address} {
		end, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		c.ends[i] = netip.AddrPortFrom(end.Addr().Unmap(), end.Port())
	}
	return c, nil
}

func (c *conversation) describe(t *trace.Trace, h *trace.Hop) pcapgo.NgInterface {
	text := fmt.Sprintf("%s, hop %s to %s, %s over %s %s", t.Model, h.From, h.To, h.Protocol, h.Network, h.Address)
	if c.madeUp {
		text += "; a Unix socket: addresses and ports are made up"
	}
	if h.Reused {
		text += "; the connection was there before the request"
	}
	return pcapgo.NgInterface{Name: h.From + "-" + h.To, Description: text, Comment: text, LinkType: layers.LinkTypeRaw, OS: ""}
}

// record makes the packets: the handshake, the chunks as they came, the end.
func (c *conversation) record(began time.Time, h *trace.Hop) error {
	if !h.Reused {
		start := began.Add(h.Timing.Start)
		connected := start
		if h.Timing.Connect != nil {
			connected = start.Add(*h.Timing.Connect)
		}
		if err := c.send(start, 0, layers.TCP{SYN: true}, nil); err != nil {
			return err
		}
		if err := c.send(connected, 1, layers.TCP{SYN: true, ACK: true}, nil); err != nil {
			return err
		}
		if err := c.send(connected, 0, layers.TCP{ACK: true}, nil); err != nil {
			return err
		}
	}
	for _, chunk := range chunks(h) {
		for at := 0; at < len(chunk.data); at += maxSegment {
			data := chunk.data[at:min(at+maxSegment, len(chunk.data))]
			if err := c.send(began.Add(chunk.at), chunk.side, layers.TCP{ACK: true, PSH: true}, data); err != nil {
				return err
			}
			c.comment(h, &chunk, at, len(data))
		}
	}
	end := began.Add(h.Timing.Start + h.Timing.Total)
	for _, side := range []int{1, 0} {
		if err := c.send(end, side, layers.TCP{FIN: true, ACK: true}, nil); err != nil {
			return err
		}
	}
	return c.send(end, 1, layers.TCP{ACK: true}, nil)
}

// maxSegment keeps a packet below IP's limit of 64 KiB.
const maxSegment = 32 << 10

// A run of bytes that came one way at one time.
type run struct {
	at     time.Duration
	side   int // who sent it
	stream string
	offset int
	data   []byte
}

// chunks are a hop's in the order in which they came.
func chunks(h *trace.Hop) (all []run) {
	for i := range h.Streams {
		s := &h.Streams[i]
		side := 1
		if s.Forward {
			side = 0
		}
		at := 0
		for _, k := range s.Chunks {
			all = append(all, run{k.At, side, s.Name, at, s.Bytes[at : at+k.Length]})
			at += k.Length
		}
	}
	slices.SortStableFunc(all, func(a, b run) int { return cmp.Compare(a.at, b.at) })
	return all
}

// comment says at the last packet which messages begin in it.
func (c *conversation) comment(h *trace.Hop, r *run, at, length int) {
	var names []string
	for i := range h.Messages {
		m := &h.Messages[i]
		if begin := m.Offset - r.offset; m.Stream == r.stream && begin >= at && begin < at+length {
			names = append(names, m.What)
		}
	}
	if len(names) > 0 {
		last := &c.packets[len(c.packets)-1]
		last.comments = append(last.comments, fmt.Sprintf("%s → %s: %s", h.From, h.To, strings.Join(names, ", ")))
	}
}

// send makes a packet from one side to the other.
func (c *conversation) send(at time.Time, side int, tcp layers.TCP, data []byte) error {
	from, to := c.ends[side], c.ends[1-side]
	tcp.SrcPort, tcp.DstPort = layers.TCPPort(from.Port()), layers.TCPPort(to.Port())
	tcp.Seq, tcp.Window = c.sequence[side], 65535
	if tcp.ACK {
		tcp.Ack = c.sequence[1-side]
	}
	c.sequence[side] += uint32(len(data))
	if tcp.SYN || tcp.FIN {
		c.sequence[side]++
	}
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	var ip gopacket.SerializableLayer
	var checked gopacket.NetworkLayer
	if from.Addr().Is4() {
		v4 := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
		ip, checked = v4, v4
	} else {
		v6 := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
		ip, checked = v6, v6
	}
	if err := tcp.SetNetworkLayerForChecksum(checked); err != nil {
		return err
	}
	if err := gopacket.SerializeLayers(buffer, options, ip, &tcp, gopacket.Payload(data)); err != nil {
		return err
	}
	c.packets = append(c.packets, packet{at: at, number: c.number, data: slices.Clone(buffer.Bytes())})
	return nil
}

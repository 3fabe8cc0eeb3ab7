package reports

import (
	"strconv"

	"gatewaylab/servers"
)

// csvServices are what backing services did, in rows of their own. Of one that
// doesn't tell, as a database, they are empty.
func csvServices() []csvField {
	told := func(r csvRecord) bool {
		return r.service != nil && servers.Backing{Service: r.service.Service}.Counted()
	}
	estimate := func(name string, of func(*BackingCell) Estimate) csvField {
		return csvField{name: name, estimate: func(r csvRecord) (e Estimate) {
			if told(r) {
				e = of(r.service)
			}
			return e
		}}
	}
	count := func(name string, of func(*BackingCell) uint64) csvField {
		return csvOfAll(name, func(r csvRecord) string {
			if !told(r) {
				return ""
			}
			return strconv.FormatUint(of(r.service), 10)
		})
	}
	return []csvField{
		estimate("service_calls_per_s", func(b *BackingCell) Estimate { return b.Calls }),
		estimate("service_waited_ms", func(b *BackingCell) Estimate { return b.Waited }),
		estimate("service_worked_ms", func(b *BackingCell) Estimate { return b.Worked }),
		estimate("service_busy", func(b *BackingCell) Estimate { return b.Busy }),
		estimate("service_late_ms", func(b *BackingCell) Estimate { return b.Late }),
		estimate("service_cpu_cores", func(b *BackingCell) Estimate { return b.CPU }),
		estimate("service_memory_mib", func(b *BackingCell) Estimate { return b.Memory }),
		count("service_ended", func(b *BackingCell) uint64 { return b.Ended }),
		count("service_failed", func(b *BackingCell) uint64 { return b.Failed }),
		count("service_closed", func(b *BackingCell) uint64 { return b.Closed }),
		count("service_refused", func(b *BackingCell) uint64 { return b.Refused }),
	}
}

// What the tests call in a page of the server under test: requests by number,
// answers piece by piece, and a WebSocket. Bytes travel as base64, fields as
// strings of one character a byte.
globalThis.lab = {
	under: new Map(),

	// body makes a request's body: bytes, or n bytes of what /bytes answers, as a
	// whole or as a stream, which may stop coming and never end, or come slowly
	// and end when it is released.
	body({base64, n, pattern, stream, stall, trickle}, released) {
		if (base64 !== undefined) return Uint8Array.fromBase64(base64);
		const unit = new TextEncoder().encode(pattern);
		const whole = new Uint8Array(n);
		for (let at = 0; at < n; at += unit.length) whole.set(unit.subarray(0, n - at), at);
		if (!stream) return whole;
		let at = 0, free = false;
		released.then(() => { free = true; });
		return new ReadableStream({
			async pull(controller) {
				if (trickle && !free) {
					await (at + 1024 < n ? new Promise(done => setTimeout(done, 2)) : released);
					controller.enqueue(whole.subarray(at, at += 1024));
					if (at >= n) controller.close();
					return;
				}
				if (at < n) {
					controller.enqueue(whole.subarray(at, at += 1 << 16));
				} else if (!stall) {
					controller.close();
				} else {
					return new Promise(() => {});
				}
			},
		});
	},

	async begin(id, {method, target, fields, body}) {
		const headers = new Headers();
		for (const [name, value] of fields) {
			if (name !== 'Cookie') {
				headers.append(name, value);
				continue;
			}
			for (const cookie of value.split('; ')) document.cookie = cookie + '; path=/';
		}
		const controller = new AbortController();
		let release;
		const released = new Promise(done => { release = done; });
		this.under.set(id, {controller, release});
		const init = {method, headers, cache: 'no-store', redirect: 'manual', signal: controller.signal};
		if (body) {
			init.body = this.body(body, released);
			if (init.body instanceof ReadableStream) init.duplex = 'half';
		}
		const response = await fetch(target, init);
		this.under.set(id, {controller, release, reader: response.body?.getReader()});
		return {status: response.status, fields: [...response.headers]};
	},

	// read returns the next piece of an answer, null at its end.
	async read(id) {
		const reader = this.under.get(id)?.reader;
		if (!reader) return null;
		const {done, value} = await reader.read();
		return done ? null : value.toBase64();
	},

	// digest reads an answer to its end and returns its length and SHA-256.
	async digest(id) {
		const whole = await new Blob(await Array.fromAsync(this.pieces(id))).arrayBuffer();
		const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', whole)).toHex();
		return {n: whole.byteLength, sum};
	},

	async *pieces(id) {
		const reader = this.under.get(id)?.reader;
		for (let piece; reader && !(piece = await reader.read()).done;) yield piece.value;
	},

	release(id) { this.under.get(id)?.release(); },

	leave(id) {
		this.under.get(id)?.controller.abort();
		this.under.delete(id);
	},

	// echoed sends messages on a WebSocket, each when the last has been answered.
	echoed(target, messages) {
		return new Promise((resolve, reject) => {
			const socket = new WebSocket(new URL(target, location.href));
			const got = [];
			const next = () => got.length < messages.length ? socket.send(messages[got.length]) : socket.close();
			socket.onopen = next;
			socket.onmessage = ({data}) => { got.push(data); next(); };
			socket.onclose = ({wasClean, code}) => wasClean ? resolve(got) : reject(new Error('closed with code ' + code));
		});
	},

	// spoken is the protocol by which the page came: "http/1.1", "h2".
	spoken() { return performance.getEntriesByType('navigation')[0].nextHopProtocol; },
};

// Addresses and networks. An address is an array of bytes, 4 or 16 of them.

/** An address, or undefined. An IPv4 address inside of IPv6 (`::ffff:10.0.0.1`) is the IPv4 address. */
export function parseAddress(text) {
  const bytes = text.includes(":") ? parseV6(text) : parseV4(text);
  const isMapped = bytes?.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return isMapped ? bytes.slice(12) : bytes;
}

function parseV4(text) {
  const parts = text.split(".");
  // `010` is 8 for some and 10 for others: refused.
  const isByte = (part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256;
  return parts.length === 4 && parts.every(isByte) ? parts.map(Number) : undefined;
}

function parseV6(text) {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === "" ? [] : groups(half)));
  if (!head || (halves.length === 2 && !tail)) return undefined;
  const missing = 16 - head.length - (tail?.length ?? 0);
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...Array(missing).fill(0), ...(tail ?? [])];
}

// Two bytes a group; the last may be an IPv4 address.
function groups(text) {
  const bytes = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    const v4 = index === parts.length - 1 ? parseV4(part) : undefined;
    if (v4) bytes.push(...v4);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) bytes.push(parseInt(part, 16) >> 8, parseInt(part, 16) & 255);
    else return undefined;
  }
  return bytes;
}

export class Network {
  constructor(address, bits) {
    this.address = address;
    this.bits = bits;
  }

  /** `10.0.0.0/8`, or one address; undefined when it is neither, or has bits beyond its length. */
  static parse(text) {
    const [address, length, more] = text.split("/");
    const bytes = parseAddress(address);
    if (!bytes || more !== undefined) return undefined;
    if (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
    const bits = length === undefined ? bytes.length * 8 : Number(length);
    if (bits > bytes.length * 8) return undefined;
    const isClean = bytes.every((byte, index) => (byte & ~mask(bits, index) & 255) === 0);
    return isClean ? new Network(bytes, bits) : undefined;
  }

  has(address) {
    if (address?.length !== this.address.length) return false;
    return this.address.every((byte, index) => ((byte ^ address[index]) & mask(this.bits, index)) === 0);
  }
}

// The bits of a byte that belong to the network.
function mask(bits, index) {
  const mine = Math.min(8, Math.max(0, bits - index * 8));
  return (0xff << (8 - mine)) & 0xff;
}

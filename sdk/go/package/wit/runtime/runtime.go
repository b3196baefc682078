// Package wit_runtime gives the generated bindings memory that the gateway may read and write, and decides when garbage
// is collected.
//
// While the gateway puts the arguments of a call into the plugin's memory, the plugin may not call anything outside of
// itself, and Go's collector asks WASI for the time. So it must not run then: it is off, and run at the end of calls
// that left much behind. What the gateway asks for comes from a block that was made before.
package wit_runtime

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"unsafe"
)

const (
	// Room for the arguments of an ordinary call.
	blockBytes = 32 << 10
	// What may be left behind before it is collected.
	garbageBytes = 8 << 20
	// Beyond this, garbage is collected within a call, too. A plugin has 64 MiB.
	heapBytes = 40 << 20
)

var (
	// What the gateway allocated for the arguments of the call that begins.
	arguments runtime.Pinner
	block     []uint64
	used      uintptr
	allocated = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	collected uint64
)

func init() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(heapBytes)
	renew()
}

// Allocate is memory that stays where it is until the pinner lets go.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	// Eight bytes are the strictest alignment that there is.
	memory := unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	pinner.Pin(memory)
	return memory
}

// Unpin is called when the arguments have become Go's values, which share the block's memory: it is theirs now.
func Unpin() {
	arguments.Unpin()
	renew()
}

// Finish is called at the end of each call, when the plugin may call what it likes.
func Finish() {
	metrics.Read(allocated)
	if total := allocated[0].Value.Uint64(); total-collected > garbageBytes {
		runtime.GC()
		collected = total
	}
}

func renew() {
	if used > 0 || block == nil {
		block, used = make([]uint64, blockBytes/8), 0
	}
	arguments.Pin(unsafe.SliceData(block))
}

// From the block, or where it is too small from the heap.
func forArguments(size, align uintptr) unsafe.Pointer {
	start := (used + align - 1) &^ (align - 1)
	if start+size > blockBytes {
		return Allocate(&arguments, size, align)
	}
	used = start + size
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(block)), start)
}

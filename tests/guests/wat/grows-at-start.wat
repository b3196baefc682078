;; P2, P3. A core module whose start function asks for all the memory there is and then loops. Expected: not loaded: refused
;; because it exports nothing of ours, or at the deadline when it is instantiated before that is seen.
(module
  (memory (export "memory") 1)
  (func $start
    (drop (memory.grow (i32.const 65535)))
    (loop $again (br $again)))
  (start $start))

SELECT stream, seq, unit, seen_ms, name, gpu_index, serial, pci, memory_bytes, driver, agent
FROM store.main.inventory
SEMI JOIN temp.main.audited USING (stream, seq)

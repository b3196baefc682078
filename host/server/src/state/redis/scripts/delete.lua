-- Deletes a key, if it is there.
drop(key)
return 1

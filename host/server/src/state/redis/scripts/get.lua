-- What is under a key: "REVISION:VALUE", or nothing.
return find(key) or false

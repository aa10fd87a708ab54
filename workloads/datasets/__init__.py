"""Versions of data sets in an object store → whole, checked folders on this machine's NVMe.

PREFIX/latest.json                      which version was published last
PREFIX/manifests/VERSION.json           each file of a version: size, digests, key  (`manifest`)
PREFIX/data/VERSION/…                   the files; one that did not change keeps the key of an older version
             │ obstore moves the bytes  (`store`, `fetch`)
FOLDER/NAME/.incoming-VERSION/          what is on its way, for root alone
FOLDER/NAME/VERSION/                    appears by one rename, whole and checked  (`library`)
FOLDER/NAME/current → VERSION           what to read
"""

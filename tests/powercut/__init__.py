"""Power cuts: what was acknowledged is on the disk, not only in the page cache. Needs root and ext4 on a loop device.

SIGKILL cannot show this: the kernel survives it. That is the business of `tests.chaos`.
"""

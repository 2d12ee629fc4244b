# A small program under the Pyroscope SDK for Python: works and allocates until its standard input ends.
import os
import sys
import threading
import time

import pyroscope

if not pyroscope.configure(
    application_name=os.environ["CLIENT_APP"],
    server_address=os.environ["CLIENT_SERVER"],
    upload_interval=2,
    mem_enabled=True,
    enable_logging=True,
    tags={"team": "python"},
):
    sys.exit("the profiler did not start")

over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
kept = []
while not over.wait(0.02):
    for vehicle in ("car", "bike"):
        with pyroscope.tag_wrapper({"vehicle": vehicle}):
            end = time.monotonic() + 0.004
            while time.monotonic() < end:
                kept.append(vehicle * 256)
    del kept[:-1000]
pyroscope.shutdown()

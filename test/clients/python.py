# A small program under the Python SDK: burns CPU until stdin closes, uploading every second.
import hashlib
import sys
import threading

import pyroscope

stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stopped.set()), daemon=True).start()
pyroscope.configure(
    application_name="client.python",
    server_address=sys.argv[1],
    tags={"region": "eu-west-1"},
    tenant_id="team-python",
    upload_interval=1,
)
data = b"flamegate"
while not stopped.is_set():
    for _ in range(10000):
        data = hashlib.sha256(data).digest()
pyroscope.shutdown()
print("stopped")

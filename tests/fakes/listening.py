"""What servers of tests have in common: they listen, and serve each connection in a thread of its own until they are stopped."""
import socket
import threading


class Listening:
    """A server has `serve(connection, *served_with())`, and calls `listen` when it is ready to."""

    def listen(self, address="127.0.0.1", port=0):
        self.connections = 0
        self.listener = socket.create_server((address, port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def served_with(self):
        """What a connection that came just now is served with besides."""
        return ()

    def stop(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection, *self.served_with()), daemon=True).start()

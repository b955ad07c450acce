"""A judge for ThrottlingProxy that takes its time: the first command or request of a kind waits there until it is let go, so that a session stands still in its middle without a sleep."""
import threading


class Hold:
    """`is_it`: of a command or request; `after`: so many of them pass before. `then`: what a judge would answer once it is let go, or None to pass it on."""

    def __init__(self, is_it, after=0, then=None, seconds=90):
        self.is_it, self.left, self.then, self.seconds = is_it, after, then, seconds
        self.held, self.may_go, self.lock = threading.Event(), threading.Event(), threading.Lock()

    def __call__(self, piece):
        if not self.is_it(piece):
            return None
        with self.lock:
            self.left -= 1
            is_the_one = self.left == -1
        if not is_the_one:
            return None
        self.held.set()
        self.may_go.wait(self.seconds)
        return self.then(piece) if self.then else None

    def wait(self, what, seconds=30):
        """Until a session stands there."""
        if not self.held.wait(seconds):
            raise AssertionError(f"nothing came to {what}")

    def let_go(self):
        self.may_go.set()

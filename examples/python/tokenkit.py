"""TokenKit from Python, by its C API. Needs nothing but Python 3.9 and the library: libtokenkit.so, libtokenkit.dylib
or tokenkit.dll from the folder runtimes/<platform>/native of a package."""

import ctypes
import json
import threading


class TokenKitError(Exception):
    """A call that failed. `detail` has code, category, message, advice, retryable and what the server said."""

    def __init__(self, detail):
        super().__init__(f"{detail['message']} {detail['advice']}".strip())
        self.detail = detail


def load(path):
    """Loads the library and tells ctypes what its functions take and return."""
    library = ctypes.CDLL(path)
    library.tokenkit_client_new.restype = ctypes.c_void_p
    library.tokenkit_client_free.argtypes = [ctypes.c_void_p]
    library.tokenkit_cancel_new.restype = ctypes.c_void_p
    library.tokenkit_cancel_trigger.argtypes = [ctypes.c_void_p]
    library.tokenkit_cancel_free.argtypes = [ctypes.c_void_p]
    library.tokenkit_string_free.argtypes = [ctypes.c_void_p]
    library.tokenkit_version.restype = ctypes.c_char_p
    for name in ("tokenkit_token", "tokenkit_metadata", "tokenkit_jwt_verify"):
        function = getattr(library, name)
        function.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        # Not c_char_p, which would copy the text and lose the pointer that has to be freed.
        function.restype = ctypes.c_void_p
    return library


class Cancel:
    """A way to end calls from another thread."""

    def __init__(self, library):
        self._library = library
        self.handle = library.tokenkit_cancel_new()

    def trigger(self):
        self._library.tokenkit_cancel_trigger(self.handle)

    def close(self):
        handle, self.handle = self.handle, None
        self._library.tokenkit_cancel_free(handle)


class Client:
    """One is enough for a process; all threads may use it at once."""

    def __init__(self, library):
        self._library = library
        self._handle = library.tokenkit_client_new()
        if not self._handle:
            raise MemoryError("TokenKit cannot start its threads.")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        handle, self._handle = self._handle, None
        self._library.tokenkit_client_free(handle)

    def call(self, function, request, cancel=None):
        """Sends a request, a dict, and returns the answer as one. Other Python threads run meanwhile."""
        text = json.dumps(request).encode()
        answer = getattr(self._library, function)(self._handle, text, cancel and cancel.handle)
        try:
            result = json.loads(ctypes.string_at(answer))
        finally:
            # Wipes it, too: it may hold a token.
            self._library.tokenkit_string_free(answer)
        if "error" in result:
            raise TokenKitError(result["error"])
        return result

    def token(self, request, cancel=None):
        """The token response, as the server wrote it."""
        return json.loads(self.call("tokenkit_token", request, cancel)["body"])


def call_with_time_limit(client, library, request, seconds):
    """A token, or TokenKitError with the category "cancelled"."""
    cancel = Cancel(library)
    timer = threading.Timer(seconds, cancel.trigger)
    timer.start()
    try:
        return client.token(request, cancel)
    finally:
        timer.cancel()
        timer.join()
        cancel.close()

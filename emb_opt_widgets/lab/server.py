"""The server extension: what is installed here, and a search's file as a page. It runs no search."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from emb_opt_widgets.errors import FileError
from emb_opt_widgets.lab.installed import server_side
from emb_opt_widgets.lab.place import Refused, check_mark, inside

__all__ = ["FileHandler", "InfoHandler", "add_to"]

_LARGEST = 2 * 2**30
_SECONDS = 60.0
_AT_ONCE = 2
_CODE = Path(__file__).parents[2]
_turns = asyncio.Semaphore(_AT_ONCE)


class InfoHandler(APIHandler):
    """What is installed in the server's environment."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with versions."""
        await self.finish(json.dumps(server_side()))


class FileHandler(APIHandler):
    """A search's file as a page."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    async def get(self, path: str) -> None:
        """Answer with the view of a file of the server's root."""
        contents = self.contents_manager
        root = getattr(contents, "root_dir", "")
        if not root:
            raise web.HTTPError(501, reason="This server keeps its files elsewhere")
        try:
            file = inside(Path(root), path, bool(contents.allow_hidden))
            check_mark(file, _LARGEST)
        except Refused as error:
            raise web.HTTPError(404, reason="There is no such file") from error
        except FileError as error:
            await self._refuse(422, str(error))
            return
        except OSError as error:
            raise web.HTTPError(403, reason="The file cannot be read") from error
        await self._show(file)

    async def _show(self, file: Path) -> None:
        async with _turns:
            answer = await _read_elsewhere(file)
        if answer is None:
            await self._refuse(504, f"{file.name} takes too long to read, or cannot be read at all")
        elif answer.startswith(b'{"error"'):
            await self._refuse(422, json.loads(answer)["error"])
        else:
            await self.finish(answer)

    async def _refuse(self, status: int, message: str) -> None:
        self.set_status(status)
        await self.finish(json.dumps({"message": message}))


async def _read_elsewhere(file: Path) -> bytes | None:
    """The view as JSON, read in a process of its own; None where it did not come."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "emb_opt_widgets.lab.reading", str(file),
        cwd=_CODE, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
    except asyncio.TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out if process.returncode == 0 and out else None


def add_to(app: Any) -> None:
    """Add the handlers to a server."""
    base = url_path_join(app.web_app.settings["base_url"], "emb-opt-widgets", "api")
    handlers: list[tuple[str, type[web.RequestHandler]]] = [
        (url_path_join(base, "info"), InfoHandler),
        (url_path_join(base, "file") + r"/(.+)", FileHandler),
    ]
    app.web_app.add_handlers(".*$", handlers)

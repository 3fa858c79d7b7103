"""gunicorn reads this by itself; PORT and WEB_CONCURRENCY are the names that hosting platforms use."""

import os
from pathlib import Path

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = int(os.environ.get("WEB_THREADS", "8"))
# Longer than the database's own limits on a statement, so that it is the statement that gives up, with a clear error.
timeout = 60
graceful_timeout = 30
# Heartbeats in memory: on a disk that stalls, gunicorn would take its workers for dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# It would lie in the home folder, which a container has not, and two portals of one user would share it.
control_socket_disable = True
accesslog = "-"
# Without the query string: a search in the admin can hold what a customer wrote.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(b)s %(M)sms'


def post_worker_init(worker: object) -> None:
    """Without a broker there is no worker and no beat: a web process does their work, too."""
    from licensing_portal import jobs  # Django is set up only now: this file is read before the application

    jobs.start()

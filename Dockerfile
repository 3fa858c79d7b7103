# One image for all processes of the Procfile; docker-compose.yml says which one a container runs.
FROM python:3.11.14-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PORTAL_PROFILE=production \
    PORTAL_VAR_DIR=/var/lib/portal \
    STATIC_ROOT=/srv/portal/staticfiles \
    PORT=8000

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin portal \
    && install -d -o portal -g portal -m 0700 /var/lib/portal

WORKDIR /srv/portal

# The packages first: they change seldom, and this layer is then kept.
COPY requirements.txt ./
RUN python -m pip install --require-hashes -r requirements.txt
COPY client ./client
RUN python -m pip install --no-deps --no-build-isolation ./client

COPY manage.py gunicorn.conf.py ./
COPY bin/healthcheck ./bin/healthcheck
COPY licensing_portal ./licensing_portal
COPY activations ./activations
COPY templates ./templates

# The settings ask for secrets before anything runs; these exist for this one command and are in no layer's environment.
RUN SECRET_KEY=unused-while-building KEY_ENCRYPTION_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    ALLOWED_HOSTS=localhost python manage.py collectstatic --noinput

USER portal
VOLUME /var/lib/portal
EXPOSE 8000
CMD ["gunicorn", "licensing_portal.wsgi"]

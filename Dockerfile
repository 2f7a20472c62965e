# The image that jobs run in on Kubernetes and in the clouds (docs/clusters.md), and that runs the workflow anywhere:
#     docker build -t riskflow:0.1.0 .
#     docker run --rm -v "$PWD/results:/riskflow/results" riskflow:0.1.0
# Put the digest of the base image behind its tag (FROM name@sha256:…) where a rebuild must give the same image.
FROM python:3.11.7-slim-bookworm AS packages
COPY requirements.txt requirements-cloud.txt /tmp/
RUN python -m venv /opt/riskflow \
    && /opt/riskflow/bin/pip install --no-cache-dir --disable-pip-version-check \
       -r /tmp/requirements.txt -r /tmp/requirements-cloud.txt

FROM python:3.11.7-slim-bookworm
# A user without rights. Jobs write below /riskflow, or where the platform starts them, and into their home (open to
# any user, since a platform may pick its own number), nowhere else.
RUN useradd --create-home --uid 10001 riskflow && chmod 1777 /home/riskflow && mkdir /riskflow && chown riskflow /riskflow
COPY --from=packages /opt/riskflow /opt/riskflow
COPY --chown=riskflow Snakefile pyproject.toml README.md /riskflow/
COPY --chown=riskflow config /riskflow/config
COPY --chown=riskflow envs /riskflow/envs
COPY --chown=riskflow profiles /riskflow/profiles
COPY --chown=riskflow src /riskflow/src
COPY --chown=riskflow workflow /riskflow/workflow
# The command `riskflow`, without a build step that would fetch tools which no file pins.
RUN printf '#!/opt/riskflow/bin/python\nfrom riskflow.cli import app\napp()\n' >/opt/riskflow/bin/riskflow \
    && chmod 755 /opt/riskflow/bin/riskflow
# `src` first: a cloud executor unpacks the submitted checkout where it starts a job, and that code is what counts.
# USER and HOME also serve a platform that runs the image as a user of its own number, who has no name here.
ENV PATH=/opt/riskflow/bin:$PATH PYTHONPATH=src:/riskflow/src PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    USER=riskflow HOME=/home/riskflow
USER riskflow
WORKDIR /riskflow
# An executor gives its own command; by itself the container runs the workflow.
ENTRYPOINT []
CMD ["snakemake", "--cores", "2"]

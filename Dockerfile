# CPU image: docker build -t segfeat . && docker run --rm -v "$PWD:/work" segfeat segfeat extract videos/ -o feats.h5
FROM python:3.12-slim
RUN pip install --no-cache-dir uv==0.8.0
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY segfeat segfeat
COPY segmodel segmodel
COPY cli cli
RUN uv pip install --system --no-cache ".[serve]" && useradd --create-home user
USER user
WORKDIR /work
EXPOSE 8000
CMD ["segmodel", "--help"]

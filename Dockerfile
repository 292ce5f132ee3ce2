# kinema with all its extras for use.
#
#   docker build -t kinema .                                                                   for processors
#   docker build -t kinema --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .    for NVIDIA's cards
#   docker run --rm -v "$PWD:/work" kinema scan videos/            (with a card: --gpus all)
#
# Nothing is fetched once it is built. The image is for use; tests run with .ci/run in a checkout.
FROM python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /opt/kinema
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src src
RUN python -m pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" -c constraints.txt ".[search,serve,onnx,text,evolve]"
RUN useradd --create-home kinema
USER kinema
WORKDIR /work
ENTRYPOINT ["kinema"]
CMD ["--help"]

"""Execute the notebook on standard input and write it, with its outputs as far
as they came, to standard output. Exit 1 if a cell failed. Arguments: the
kernel's name, the directory to run in, how many seconds one cell may take."""

import sys

import nbclient
import nbformat

kernel, directory, timeout = sys.argv[1:]
notebook = nbformat.read(sys.stdin, as_version=4)
client = nbclient.NotebookClient(
    notebook,
    kernel_name=kernel,
    timeout=int(timeout),
    record_timing=False,
    resources={"metadata": {"path": directory}},
)
failure = None
try:
    client.execute()
except (nbclient.exceptions.CellExecutionError, nbclient.exceptions.CellTimeoutError) as error:
    failure = str(error)
for cell in notebook.cells:
    joined = []  # what a stream delivered in pieces, whose number is chance
    for output in cell.get("outputs", []):
        if joined and output.output_type == "stream" and output.get("name") == joined[-1].get("name"):
            joined[-1].text += output.text
        else:
            joined.append(output)
    if joined:
        cell.outputs = joined
nbformat.write(notebook, sys.stdout)
sys.exit(failure)

"""The pure core: values in, values out, time as an argument."""

"""Plots of a sweep's table: what somebody asks for, computed once, and drawn in several ways.

The page, `spe plot` and whoever else shows a plot use the same figures and the same SVG.

    asked      What is to be drawn: columns, form, logarithmic axes
    beside     Two figures beside each other, on the same axes
    cells      The columns that are drawn, as numbers or texts
    columns    The columns of a figure: values of an axis, and groups of a colour
    counts     Figures of boxes: histograms, and heat maps of a grid
    csv_lines  A figure as CSV: the numbers that are drawn
    figure     A figure in the values of its axes, whatever it is drawn with
    forms      Makes a figure of the cells: dots, lines of means, and the others
    image      A figure as PNG or PDF, by CairoSVG
    many       Many columns at once, for plotly
    reading    Reads what is drawn from the store
    scales     Places and marks of an axis
    svg        A figure as SVG
    terminal   A figure as lines of text, by plotext
"""

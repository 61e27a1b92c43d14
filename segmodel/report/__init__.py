"""The report: one self-contained HTML file about a run, made to be looked at.

``measure`` holds the run against simple models, ``cases`` picks views to show, ``facts`` counts the data, ``charts``
draws, and ``page`` puts it all into the templates beside these modules.
"""
